//! Short decimal numbers, eight digits at a time.
//!
//! ```text
//! …,-0.0123456,…     the 16 bytes that end with the field: bytes before its digits become '0',
//!                    the point is removed, two multiplications per eight digits, one division by a power of ten
//! ```
//! At most 15 digits are exact as `f64`, and so is the power of ten: one rounding, hence the nearest number (Clinger,
//! "How to read floating point numbers accurately", 1990). Everything else (exponents, markers, spaces, long numbers)
//! is left to the general parser.

const ONES: u64 = 0x0101_0101_0101_0101;
const ZEROS: u64 = ONES * b'0' as u64;
const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
/// Integers up to here are exact.
const EXACT: u64 = 1 << 53;
const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// The number in `bytes[start..end]`, if it consists of few digits, at most a leading `-` and a point;
/// `None` if another parser must decide. `start` is less than `end`.
#[inline]
pub(crate) fn short_decimal(bytes: &[u8], start: usize, end: usize) -> Option<f64> {
    let negative = *bytes.get(start)? == b'-';
    let start = start + usize::from(negative);
    let value = match end.wrapping_sub(start) {
        1..=8 => of_eight(bytes, end, end - start)?,
        9..=16 => of_sixteen(bytes, end, end - start)?,
        _ => return None,
    };
    // Signs are unpredictable: set the bit without a branch.
    Some(f64::from_bits(value.to_bits() | u64::from(negative) << 63))
}

#[inline]
fn of_eight(bytes: &[u8], end: usize, len: usize) -> Option<f64> {
    let window = bytes.get(end.checked_sub(8)?..end)?.try_into().ok()?;
    let keep = u64::MAX << (8 * (8 - len));
    let mut text = (u64::from_le_bytes(window) & keep) | (ZEROS & !keep);
    let point = zero_bytes(text ^ (ONES * u64::from(b'.')));
    let mut decimals = 0;
    if point != 0 {
        let at = point.trailing_zeros() & !7;
        let before = (1_u64 << at) - 1;
        text = (text & !(before << 8 | 0xff)) | (text & before) << 8 | u64::from(b'0');
        decimals = 7 - at / 8;
    }
    let alone = len == 1 && point != 0;
    (all_digits(text) && !alone).then(|| digits(text) as f64 / POWERS[decimals as usize])
}

#[inline]
fn of_sixteen(bytes: &[u8], end: usize, len: usize) -> Option<f64> {
    const ALL_ZEROS: u128 = (ZEROS as u128) << 64 | ZEROS as u128;
    let window = bytes.get(end.checked_sub(16)?..end)?.try_into().ok()?;
    let keep = u128::MAX << (8 * (16 - len));
    let mut text = (u128::from_le_bytes(window) & keep) | (ALL_ZEROS & !keep);
    let points = |half: u64| zero_bytes(half ^ (ONES * u64::from(b'.')));
    let point = u128::from(points((text >> 64) as u64)) << 64 | u128::from(points(text as u64));
    let mut decimals = 0;
    if point != 0 {
        let at = point.trailing_zeros() & !7;
        let before = (1_u128 << at) - 1;
        text = (text & !(before << 8 | 0xff)) | (text & before) << 8 | u128::from(b'0');
        decimals = 15 - at / 8;
    }
    let (first, second) = (text as u64, (text >> 64) as u64);
    if !(all_digits(first) && all_digits(second)) {
        return None;
    }
    let whole = digits(first) * 100_000_000 + digits(second);
    (whole <= EXACT).then(|| whole as f64 / POWERS[decimals as usize])
}

/// The high bit of every zero byte.
#[inline]
pub(crate) fn zero_bytes(word: u64) -> u64 {
    !(((word & LOW) + LOW) | word | LOW)
}

/// Whether every byte is a digit.
#[inline]
fn all_digits(text: u64) -> bool {
    (text.wrapping_add(ONES * 0x46) | text.wrapping_sub(ZEROS)) & !LOW == 0
}

/// The number written by eight digits, the first in the lowest byte: pairs, fours, eights.
#[inline]
fn digits(text: u64) -> u64 {
    let twos = (text & (ONES * 0x0f)).wrapping_mul(2561) >> 8;
    let fours = (twos & 0x00ff_00ff_00ff_00ff).wrapping_mul(6_553_601) >> 16;
    (fours & 0x0000_ffff_0000_ffff).wrapping_mul(42_949_672_960_001) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn padded(text: &str) -> Option<f64> {
        let all = format!("some text before,{text},");
        short_decimal(all.as_bytes(), all.len() - 1 - text.len(), all.len() - 1)
    }

    #[test]
    fn zero_bytes_are_found_exactly() {
        for word in [0u64, 1, 0x0100, 0xff00_00ff_0001_8000, u64::MAX, 0x8080_8080_8080_8080] {
            let expected = (0..8).filter(|i| word >> (8 * i) & 0xff == 0).fold(0, |m, i| m | 0x80u64 << (8 * i));
            assert_eq!(zero_bytes(word), expected, "{word:x}");
        }
    }

    #[test]
    fn what_is_no_short_number_is_left_alone() {
        for text in [
            "-",
            ".",
            "-.",
            "1.2.3",
            "1e5",
            "+1",
            "a",
            "1a",
            "--1",
            "12:30",
            "1,5",
            "1/2",
            " 1",
            "٣",
            "9007199254740993",
            "12345678901234567",
            "1234567.x",
            "....",
            "1.23456789.1",
        ] {
            assert_eq!(padded(text), None, "{text}");
        }
        // There are fewer than 16 bytes before the end of the field.
        assert_eq!(short_decimal(b"1,2", 0, 1), None);
        assert_eq!(short_decimal(b"1234567", 2, 7), None);
        assert!(padded("-0").is_some_and(|v| v == 0.0 && v.is_sign_negative()));
    }

    proptest! {
        #[test]
        fn a_number_is_the_nearest_one(text in "-?[0-9]{0,15}(\\.[0-9]{0,14})?") {
            if let Some(value) = padded(&text) {
                prop_assert_eq!(Ok(value.to_bits()), text.parse::<f64>().map(f64::to_bits));
            } else {
                let len = text.trim_start_matches('-').len();
                prop_assert!(len > 15 || text.parse::<f64>().is_err(), "{}", text);
            }
        }

        #[test]
        fn other_texts_are_never_taken_for_numbers(text in "[-0-9.,+e /:;a]{1,17}") {
            if let Some(value) = padded(&text) {
                prop_assert_eq!(Ok(value.to_bits()), text.parse::<f64>().map(f64::to_bits));
            }
        }
    }
}
