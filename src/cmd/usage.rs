//! Usage errors in the format of all other errors, and help that is wrapped once.

use clap::error::ErrorKind;

/// The error in our format, `mlloop: what` with hints below; `None` for help and version, which are not errors.
pub(crate) fn in_words(err: &clap::Error) -> Option<String> {
    if matches!(
        err.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        return None;
    }
    let rendered = err.render().to_string();
    let mut what = String::new();
    let mut below = String::new();
    // A verb with subcommands has a usage line for each of them.
    let mut in_usage = false;
    for line in rendered.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(tip) = line.strip_prefix("tip: ") {
            below.push_str(&format!("  hint: {tip}\n"));
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            below.push_str(&format!("  usage: {usage}\n"));
            in_usage = true;
        } else if in_usage && !line.starts_with("For more information") {
            below.push_str(&format!("         {line}\n"));
        } else if !line.starts_with("For more information") {
            let line = line.strip_prefix("error: ").unwrap_or(line);
            what.push_str(if what.is_empty() { "" } else { " " });
            what.push_str(line);
        }
    }
    Some(format!("mlloop: {}\n{below}", plain(what)))
}

/// Plain messages that replace those of number and time parsers.
fn plain(mut what: String) -> String {
    const WORDS: [(&str, &str); 5] = [
        ("invalid digit found in string", "not a whole number"),
        ("cannot parse integer from empty string", "empty; a whole number is needed"),
        ("number too large to fit in target type", "too large"),
        ("invalid float literal", "not a number"),
        ("failed to parse", "not an instant such as 2026-01-31T12:00:00Z"),
    ];
    for (theirs, ours) in WORDS {
        if let Some(at) = what.find(&format!("': {theirs}")) {
            what.truncate(at + 3);
            what.push_str(ours);
        }
    }
    what
}

/// A doc comment as help: the lines of a paragraph are joined and wrapped once, to the terminal's width; indented
/// lines, which are examples, are kept.
pub(crate) fn unwrapped(text: &str) -> String {
    let mut out = String::new();
    let mut in_paragraph = false;
    for line in text.lines() {
        let stays = line.trim().is_empty() || line.starts_with(' ');
        if !out.is_empty() {
            out.push(if in_paragraph && !stays { ' ' } else { '\n' });
        }
        out.push_str(line.trim_end());
        in_paragraph = !stays;
    }
    out
}

/// The command with all help unwrapped.
pub(crate) fn readable(mut command: clap::Command) -> clap::Command {
    if let Some(about) = command.get_long_about().map(ToString::to_string) {
        command = command.long_about(unwrapped(&about));
    }
    let names: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    names.iter().fold(command, |command, name| command.mut_subcommand(name, readable))
}

#[cfg(test)]
mod tests {
    use super::{readable, unwrapped};
    use crate::cmd::complete;

    #[test]
    fn examples_are_narrow_and_help_is_never_wider_than_its_terminal() {
        fn walk(mut command: clap::Command) {
            let name = command.get_name().to_owned();
            let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
            for line in long.lines().filter(|line| line.starts_with(' ')) {
                assert!(line.chars().count() <= 76, "mlloop {name}: {line}");
            }
            for width in [80, 100] {
                command = command.term_width(width);
                let help = command.render_long_help().to_string();
                // Text that cannot be broken, such as a list of values, may be wider.
                let wide = help.lines().find(|line| line.chars().count() > width && line.trim().contains(' '));
                assert_eq!(wide, None, "mlloop {name} at {width}");
                assert!(help.lines().count() > 5, "mlloop {name}");
            }
            command.get_subcommands().cloned().for_each(walk);
        }
        walk(readable(complete::command()));
    }

    #[test]
    fn what_parsers_say_is_said_in_words() {
        let said = |line: &str| {
            let err = complete::command().try_get_matches_from(line.split(' ')).unwrap_err();
            super::in_words(&err).unwrap()
        };
        let told = said("mlloop label-export -n abc");
        assert!(told.starts_with("mlloop: invalid value 'abc' for '--n <N>': not a whole number\n"), "{told}");
        let told = said("mlloop audit verfy");
        assert!(told.starts_with("mlloop: unrecognized subcommand 'verfy'\n"), "{told}");
        let told = said("mlloop --now yesterday status");
        assert!(
            told.contains("'yesterday' for '--now <TIME>': not an instant such as 2026-01-31T12:00:00Z\n"),
            "{told}"
        );
    }

    #[test]
    fn paragraphs_are_joined_and_examples_stay() {
        let text = "Do it\n\nA paragraph of\ntwo lines.\n\n  mlloop a\n  mlloop b\n\nExit status: 0 done,\n2 error.";
        assert_eq!(
            unwrapped(text),
            "Do it\n\nA paragraph of two lines.\n\n  mlloop a\n  mlloop b\n\nExit status: 0 done, 2 error."
        );
    }
}
