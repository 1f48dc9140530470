//! What the shells themselves make of the completions: bash, fish and zsh, each where it is installed.

use crate::skipped::skipped;
use crate::support::*;
use std::path::Path;
use std::process::Command;

/// A loop with one version, and the completions of a shell in `script`.
fn with_script(shell: &str) -> Loop {
    let work = Loop::new().table("mlloop.toml", "").table("models/v0001/manifest.json", "").table("script/.keep", "");
    work.run(&format!("completions {shell} -o script/_mlloop")).answers(YES);
    work
}

/// What a shell prints, in the directory of the loop, where `mlloop` is the one under test.
fn asked(work: &Loop, shell: &str, arguments: &[&str]) -> Option<String> {
    let binary = Path::new(env!("CARGO_BIN_EXE_mlloop")).parent().unwrap().display();
    let path = format!("{binary}:{}", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(shell);
    command.args(arguments).current_dir(work.path("")).env("PATH", path).env("HOME", work.path("")).env("TERM", "dumb");
    match command.output() {
        Err(_) => {
            skipped(format!("{shell} is not installed"));
            None
        }
        Ok(output) => {
            let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "{shell}: {said}{wrong}");
            Some(said.into_owned())
        }
    }
}

#[test]
fn bash_completes_verbs_values_and_versions() {
    let work = with_script("bash");
    let ask = "source script/_mlloop; \
               ask() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9; \
               _clap_complete_mlloop mlloop \"${!#}\" x; printf '%s ' \"${COMPREPLY[@]}\"; echo; }; \
               ask mlloop prom; ask mlloop rollback v; ask mlloop train --algorithm r";
    let Some(said) = asked(&work, "bash", &["--norc", "-c", ask]) else { return };
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    assert_eq!(lines, ["promote", "v0001", "random-forest"]);
}

#[test]
fn fish_completes_verbs_values_and_versions() {
    let work = with_script("fish");
    let ask = "source script/_mlloop; complete -C 'mlloop prom'; complete -C 'mlloop rollback v'; \
               complete -C 'mlloop train --algorithm r'";
    let Some(said) = asked(&work, "fish", &["--no-config", "-c", ask]) else { return };
    let found: Vec<&str> = said.lines().map(|line| line.split('\t').next().unwrap_or_default()).collect();
    assert_eq!(found, ["promote", "v0001", "random-forest"]);
}

#[test]
fn zsh_completes_verbs_values_and_versions() {
    let work = with_script("zsh");
    // A terminal of its own, in which somebody types: the words, Tab, then echo before the line, and Enter.
    let ask = r#"
        zmodload zsh/zpty
        zpty -b z zsh -f -i
        wait_for() { local all= part; integer n=0
            while (( n++ < 600 )) && [[ $all != *"$1"* ]]; do
                while zpty -r -t z part; do all+=$part; done; sleep .05
            done; print -r -- "$all" }
        zpty -w z 'bindkey -e; unset zle_bracketed_paste; fpath=($PWD/script $fpath); autoload -U compinit; compinit -u -d dump; print rea""dy'
        wait_for ready > /dev/null
        for typed added in 'mlloop prom' ote 'mlloop rollback v' 0001 'mlloop train --algorithm r' andom-forest; do
            zpty -n -w z "$typed"$'\t'
            wait_for $added > /dev/null
            zpty -n -w z $'\x01print -r -- "<\x05>" don""e\n'
            wait_for done
        done
        zpty -d z"#;
    let Some(said) = asked(&work, "zsh", &["-f", "-c", ask]) else { return };
    for line in ["<mlloop promote>", "<mlloop rollback v0001>", "<mlloop train --algorithm random-forest>"] {
        assert!(said.contains(line), "{line}\n{said}");
    }
}
