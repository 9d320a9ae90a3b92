//! Leases from every kind of reference.

use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::key::{KeySource, MasterKey};

const VALUE: &str = "correct horse battery staple";

fn role(user: &str, password: Option<SecretRef>) -> RoleConfig {
    RoleConfig { user: user.to_owned(), password, certificate: None, ssh_certificate: None }
}

fn leases(directory: &TempDir, config: RoleConfig) -> Leases {
    let source = KeySource::Given(MasterKey::generate().unwrap());
    let sealed = Arc::new(SealedStore::open_with(directory.path(), source).unwrap());
    sealed.set("orders-app", &Secret::new(format!("{VALUE}\n").into_bytes())).unwrap();
    let roles = [("app".to_owned(), config)].into();
    Leases::new(sealed, Roles([("orders-db".to_owned(), roles)].into()))
}

async fn lease(leases: &Leases, target: &str, role: &str) -> Result<Lease, String> {
    leases.lease(target, role, SessionId(Uuid::nil())).await.map_err(|error| error.to_string())
}

async fn password(reference: SecretRef, directory: &TempDir) -> Result<String, String> {
    let leases = leases(directory, role("app", Some(reference)));
    assert_eq!(leases.check("orders-db", "app").is_ok(), lease(&leases, "orders-db", "app").await.is_ok());
    let lease = lease(&leases, "orders-db", "app").await?;
    leases.release("orders-db", "app", SessionId(Uuid::nil())).await;
    Ok(String::from_utf8(lease.password.unwrap().expose().to_vec()).unwrap())
}

#[tokio::test]
async fn opens_a_sealed_secret() {
    let directory = TempDir::new().unwrap();
    let found = password(SecretRef::Secret("orders-app".to_owned()), &directory).await;
    assert_eq!(found.as_deref(), Ok(VALUE));
}

#[tokio::test]
async fn reads_a_file_without_its_line_break() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("password");
    for (content, expected) in
        [("a b\n", "a b"), ("a b\r\n", "a b"), ("a b", "a b"), ("a b\n\n", "a b\n"), (" a", " a"), ("a\r", "a\r")]
    {
        std::fs::write(&path, content).unwrap();
        assert_eq!(password(SecretRef::File(path.clone()), &directory).await.as_deref(), Ok(expected));
    }
    std::fs::write(&path, "\n").unwrap();
    assert!(password(SecretRef::File(path.clone()), &directory).await.unwrap_err().contains("empty"));
    std::fs::write(&path, vec![b'x'; VALUE_LIMIT + 1]).unwrap();
    let error = password(SecretRef::File(path.clone()), &directory).await.unwrap_err();
    assert!(error.contains("password: cannot be read: file too large"), "{error}");
}

#[tokio::test]
async fn reads_the_environment() {
    let directory = TempDir::new().unwrap();
    let found = password(SecretRef::Env("PATH".to_owned()), &directory).await;
    assert_eq!(found.ok(), std::env::var("PATH").ok());
}

#[tokio::test]
async fn names_what_is_missing() {
    let directory = TempDir::new().unwrap();
    for (reference, name) in [
        (SecretRef::Secret("not-set".to_owned()), "not-set"),
        (SecretRef::Env("SALLYPORT_TEST_NEVER_SET".to_owned()), "SALLYPORT_TEST_NEVER_SET"),
    ] {
        let error = password(reference, &directory).await.unwrap_err();
        assert_eq!(
            error,
            format!("the secret for role app of orders-db is not set; run `sallyport secrets set {name}`")
        );
    }
    let gone = directory.path().join("gone");
    let error = password(SecretRef::File(gone.clone()), &directory).await.unwrap_err();
    assert!(error.contains(gone.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn a_certificate_comes_with_its_key() {
    let directory = TempDir::new().unwrap();
    let cert = directory.path().join("app.pem");
    std::fs::write(&cert, "the chain\n").unwrap();
    let key = SecretRef::Secret("orders-app".to_owned());
    let config = RoleConfig {
        user: "app".to_owned(),
        password: None,
        certificate: Some(CertificateConfig { cert, key }),
        ssh_certificate: None,
    };
    let leases = leases(&directory, config);
    let lease = lease(&leases, "orders-db", "app").await.unwrap();
    assert!(lease.password.is_none());
    let (chain, key) = lease.certificate.unwrap();
    assert_eq!(chain, b"the chain\n");
    assert_eq!(key.expose(), format!("{VALUE}\n").as_bytes(), "a key is a file, not a line");
}

#[tokio::test]
async fn a_role_without_credential_is_a_user_name() {
    let directory = TempDir::new().unwrap();
    let leases = leases(&directory, role("peer", None));
    let lease = lease(&leases, "orders-db", "app").await.unwrap();
    assert_eq!(lease.user, "peer");
    assert!(lease.password.is_none() && lease.certificate.is_none());
}

#[tokio::test]
async fn unknown_roles_have_nothing_and_new_roles_count_at_once() {
    let directory = TempDir::new().unwrap();
    let leases = leases(&directory, role("app", None));
    for (target, role) in [("orders-db", "admin"), ("other", "app"), ("", "")] {
        assert!(lease(&leases, target, role).await.is_err());
    }
    leases.replace_roles(Roles::default());
    assert!(lease(&leases, "orders-db", "app").await.is_err());
}

#[tokio::test]
async fn debug_and_errors_show_no_value() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("secrets").join("orders-app.json");
    let leases = leases(&directory, role("app", Some(SecretRef::Secret("orders-app".to_owned()))));
    std::fs::write(path, VALUE).unwrap();
    let error = lease(&leases, "orders-db", "app").await.err().unwrap();
    let shown = format!("{leases:?} {error}");
    assert!(shown.contains("orders-app was changed") && !shown.contains("horse"), "{shown}");
}
