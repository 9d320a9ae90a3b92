//! Public keys as people see them: the line that `ssh-keygen` writes, and the fingerprint.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::certificate::parts;
use crate::wire::Cursor;

/// The kind of a key as it is sent; nothing for one whose signatures cannot be checked here, or of which a part is missing.
#[must_use]
pub fn kind(blob: &[u8]) -> Option<&str> {
    let mut cursor = Cursor::new(blob);
    let kind = cursor.text().ok()?;
    for _ in 0..parts(kind).ok()? {
        cursor.string().ok()?;
    }
    cursor.end().ok()?;
    Some(kind)
}

/// The key of a line such as `ssh-ed25519 AAAA…`, a comment behind it or not, as it is sent.
#[must_use]
pub fn parse(line: &str) -> Option<Vec<u8>> {
    let mut words = line.split_ascii_whitespace();
    let (name, text) = (words.next()?, words.next()?);
    let blob = STANDARD.decode(text).ok()?;
    (kind(&blob)? == name).then_some(blob)
}

/// The line of a key, without a comment.
#[must_use]
pub fn line(blob: &[u8]) -> Option<String> {
    Some(format!("{} {}", kind(blob)?, STANDARD.encode(blob)))
}

/// A key's fingerprint, as OpenSSH shows it: `SHA256:…`.
#[must_use]
pub fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(digest(&SHA256, blob)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines and fingerprints that `ssh-keygen` has written.
    #[test]
    fn lines_and_fingerprints_are_those_of_openssh() {
        for (text, fingerprint_of) in [
            (
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIObRTzH5KyGBfaT+cFSKc99JifJHg53wqsExenRQ/o3n",
                "SHA256:F/M0RFP+cNgX3eYFsta5yT+sl/LIyARFrYK/JDxtHlo",
            ),
            (
                "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBJ189KDBF31tiVkKlDlMjO4vVzSa+pbDU2k1/tmjiaIqkGHhL1Qp9VJL3te3H7LP3KtP0R8FZcOpQqZzBeXssu4=",
                "SHA256:2lQai7/XrHgt1LWFHsbik3OSN1DXHDBv/cJqQh6iHCE",
            ),
            (
                "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBIHrYMJCVcvcutsN+mk3mKwu0LmV4Mtm/8Du3qABpc0BOZmIOweBJZV2NrtuYoeVIpQ9vW6rMUeT76fa0+WK3SdIdxeurINm7MHX7dioXJz7DVQy+W1yrjKyZgXKQcoELg==",
                "SHA256:Ri66bhP+PU5tdXgmaUx/hDRlvK9hcDRBa87MjOnUK0Q",
            ),
            (
                "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAAvMhtxX+MCubXMwntEn1WYG1Gq2Ghh424bR+bzeMITU6DvRFGh4nON/qSELy3v7b4HaBzkOycvnKBbXKMJAx3L+QBf6kB/CUVfZ32TR5oPQmb8RGMEfh7WJzegdaAN+MDkYbdVOwKOQfBg0T/YQ5rjfkUENCkRcB6NzqYJbB1IaqkP4w==",
                "SHA256:dvaulrxzah0nx3x7xGtmnBgfX+Et5QGM5AEldy7KVb8",
            ),
            (
                "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBOoJlPFwhyrmxq7HIP7/xnd1DWL8xO4TW3rV2B56g7a/6/NLvbEb2nWgcpcMWYrzgASCJKr8uPybq5Z57RBF8cMAAAAEc3NoOg==",
                "SHA256:R/1Ns5RCmTFhq3b2sS7sPRGaCX0P38nzrGjEoXuc5zc",
            ),
            (
                "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIMDCoGZb6dySgShzXXWC/l999lHHfZCg1SjoE/QL5W6hAAAABHNzaDo=",
                "SHA256:WVfc789t+pqcRuVrPBwI25CYqZKeR6CY7taOBkokHzQ",
            ),
        ] {
            let blob = parse(&format!(" {text} a comment\n")).unwrap();
            assert_eq!((line(&blob).as_deref(), fingerprint(&blob).as_str()), (Some(text), fingerprint_of));
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
        for wrong in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 !",
            "ssh-ed25519 AAAA",
            "web-1 ssh-ed25519 AAAA",
            &line.replace("ed", "rsa"),
            &line[..60],
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!((kind(b"\0\0\0\x07ssh-dss"), super::line(b"")), (None, None));
    }
}
