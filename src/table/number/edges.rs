//! The parts around the digits of a number: sign, parentheses, unit.

/// A number without sign, brackets and unit.
pub(crate) struct Bare<'t> {
    pub(crate) negative: bool,
    pub(crate) unit: Option<&'t str>,
    pub(crate) digits: &'t str,
}

/// The text before `CR` or `DR`, as banks mark a credit and a debit, and whether it is a debit.
fn booked(text: &str) -> Option<(bool, &str)> {
    let at = text.len().checked_sub(2).filter(|&at| text.is_char_boundary(at))?;
    let debit = match &text[at..] {
        side if side.eq_ignore_ascii_case("DR") => true,
        side if side.eq_ignore_ascii_case("CR") => false,
        _ => return None,
    };
    // `12CR` may as well be a code.
    let before = &text[..at];
    let is_amount = before.ends_with([' ', '\u{a0}']) || before.contains(['.', ',']);
    is_amount.then_some((debit, before.trim_end()))
}

/// Removes sign, parentheses and unit; `begins` and `ends` return the length of a leading unit, and the start of a
/// trailing one. `None` for a text that cannot be a number.
pub(crate) fn bare(
    text: &str,
    begins: impl Fn(&str) -> Option<usize>,
    ends: impl Fn(&str) -> Option<usize>,
) -> Option<Bare<'_>> {
    let mut bare = Bare { negative: false, unit: None, digits: text.trim() };
    let mut signed = false;
    loop {
        let rest = bare.digits;
        if !signed && let Some(inside) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            (bare.negative, signed) = (true, true);
            bare.digits = inside.trim();
        } else if !signed && let Some((negative, after)) = sign(rest) {
            (bare.negative, signed) = (negative, true);
            bare.digits = after.trim_start();
        } else if !signed && let Some((debit, before)) = booked(rest) {
            (bare.negative, signed) = (debit, true);
            bare.digits = before;
        } else if bare.unit.is_none()
            && let Some(len) = begins(rest)
        {
            bare.unit = Some(&rest[..len]);
            bare.digits = rest[len..].trim_start();
        } else if bare.unit.is_none()
            && let Some(at) = ends(rest)
        {
            bare.unit = Some(&rest[at..]);
            bare.digits = rest[..at].trim_end();
        } else if let Some(at) = rest.rfind(|c: char| c.is_ascii_digit())
            && no_cents(&rest[at + 1..]) == Some(rest.len() - at - 1)
        {
            bare.digits = &rest[..at + 2];
        } else if !signed && let Some(before) = rest.strip_suffix(['-', '\u{2212}']) {
            (bare.negative, signed) = (true, true);
            bare.digits = before.trim_end();
        } else {
            break;
        }
    }
    let is_edge = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b',');
    let bytes = bare.digits.as_bytes();
    (bytes.first().is_some_and(|&b| is_edge(b)) && bytes.last().is_some_and(|&b| is_edge(b))).then_some(bare)
}

/// The length of a decimal mark followed by a dash for "no cents", at the beginning of a text: `,-`, `.–`, `,--`.
pub(crate) fn no_cents(text: &str) -> Option<usize> {
    const DASHES: [char; 4] = ['-', '\u{2212}', '\u{2013}', '\u{2014}'];
    let dashes = text.strip_prefix(['.', ','])?;
    let n = dashes.chars().take_while(|c| DASHES.contains(c)).count();
    (1..=2).contains(&n).then(|| 1 + dashes.chars().take(n).map(char::len_utf8).sum::<usize>())
}

/// A leading sign, and the rest.
fn sign(text: &str) -> Option<(bool, &str)> {
    match text.chars().next()? {
        '+' => Some((false, &text[1..])),
        // Hyphen, minus, en dash, small and full-width hyphen.
        c @ ('-' | '\u{2212}' | '\u{2013}' | '\u{fe63}' | '\u{ff0d}') => Some((true, &text[c.len_utf8()..])),
        _ => None,
    }
}
