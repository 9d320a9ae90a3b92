//! `tls-server-end-point`: the hash of the server's certificate, by which SCRAM-SHA-256-PLUS notices a man in the middle
//! (RFC 5929, section 4.1).

use aws_lc_rs::digest;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The hash of a DER certificate by its own signature's hash function; MD5 and SHA-1 count as SHA-256. `None` where the
/// signature has no single hash function, such as Ed25519: nothing to bind to, as in libpq.
#[must_use]
pub fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let algorithm = match parsed.signature_algorithm.algorithm.to_id_string().as_str() {
        // MD5, SHA-1 and SHA-256 with RSA; SHA-1 and SHA-256 with ECDSA.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => &digest::SHA256,
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" => &digest::SHA224,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &digest::SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}
