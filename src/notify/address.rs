//! Mail addresses.

/// `Name <name@example.org>` or the address alone.
#[cfg(feature = "mail")]
pub(super) fn mailbox(text: &str) -> Result<lettre::message::Mailbox, String> {
    text.parse().map_err(|_| format!("{text:?} is not a mail address"))
}

/// Whether this is a valid mail address.
#[cfg(feature = "mail")]
pub(super) fn is_address(text: &str) -> bool {
    mailbox(text).is_ok()
}

/// Whether this is a valid e-mail address: only roughly checked in a build without mail.
#[cfg(not(feature = "mail"))]
pub(super) fn is_address(text: &str) -> bool {
    text.contains('@')
}
