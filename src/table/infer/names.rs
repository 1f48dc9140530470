//! What the name of a column says: words for codes, rows and times, and for the entity that rows describe.

/// Words in names of columns with codes that look like numbers.
pub(super) const CODES: [&str; 9] = ["id", "ids", "uuid", "guid", "key", "code", "zip", "postcode", "phone"];
/// Words in names of columns that identify rows.
pub(crate) const ID_WORDS: [&str; 12] =
    ["id", "ids", "uuid", "guid", "key", "no", "nr", "instant", "index", "idx", "rowid", "number"];
/// Words in names of columns that hold times.
pub(super) const TIME_WORDS: [&str; 12] =
    ["time", "timestamp", "ts", "date", "datetime", "day", "dt", "at", "epoch", "created", "updated", "modified"];

/// Whether a name contains one of the words; names are split at `_`, `-`, `.`, spaces and changes of case.
pub(crate) fn has_word(name: &str, words: &[&str]) -> bool {
    words_of(name).iter().any(|word| words.contains(&word.as_str()))
}

/// Whether a name denotes the entity that rows describe, and nothing else: `customer`, `policy`, `card_number`, but not
/// `account_balance`.
pub(crate) fn names_key(name: &str) -> bool {
    let words = words_of(name);
    let has_key = words.iter().any(|word| KEYS.contains(&word.as_str()));
    has_key && words.iter().all(|word| KEYS.contains(&word.as_str()) || BESIDE_KEYS.contains(&word.as_str()))
}

/// Entities that rows describe.
const KEYS: [&str; 33] = [
    "customer",
    "cust",
    "client",
    "user",
    "uid",
    "account",
    "acct",
    "policy",
    "contract",
    "card",
    "device",
    "member",
    "patient",
    "subject",
    "household",
    "email",
    "phone",
    "msisdn",
    "imei",
    "iban",
    "ssn",
    "vin",
    "merchant",
    "terminal",
    "employee",
    "supplier",
    "vendor",
    "invoice",
    "order",
    "session",
    "kunde",
    "konto",
    "vertrag",
];
/// Filler words beside them.
const BESIDE_KEYS: [&str; 12] =
    ["id", "no", "nr", "num", "number", "code", "ref", "key", "hash", "uuid", "guid", "identifier"];

/// The words of a name in lower case: `customerID` is `customer`, `id`; `isFraud` is `is`, `fraud`.
pub(super) fn words_of(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut previous_lower = false;
    let mut open = false;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            open = false;
            continue;
        }
        if !open || (c.is_uppercase() && previous_lower) {
            words.push(String::new());
        }
        open = true;
        previous_lower = c.is_lowercase();
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    // `userid` and `accountid` are written as one word.
    if let Some(word) =
        words.iter().find(|w| w.len() > 4 && w.ends_with("id") && STEMS.iter().any(|s| w.starts_with(s)))
    {
        let stem = word[..word.len() - 2].to_owned();
        words.extend([stem, "id".to_owned()]);
    }
    words
}

/// Words to which `id` is often appended without a separator.
const STEMS: [&str; 12] = [
    "user",
    "customer",
    "client",
    "account",
    "order",
    "invoice",
    "transaction",
    "product",
    "session",
    "device",
    "row",
    "member",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_names() {
        assert_eq!(words_of("customerID"), ["customer", "id"]);
        assert_eq!(words_of("default.payment.next.month"), ["default", "payment", "next", "month"]);
        assert_eq!(words_of("isFraud"), ["is", "fraud"]);
        assert_eq!(words_of("userid"), ["userid", "user", "id"]);
        assert_eq!(words_of("MedInc"), ["med", "inc"]);
        assert!(!has_word("paid", &["id"]));
        assert!(!has_word("humid", &["id"]));
    }
}
