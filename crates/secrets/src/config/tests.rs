//! What a role's configuration may say, and that a password in it is refused without being repeated.

use super::*;

fn parse(json: &str) -> Result<RoleConfig, serde_json::Error> {
    serde_json::from_str(json)
}

#[test]
fn reads_every_form() {
    let role = parse(r#"{"user":"app","password":{"secret":"orders-app"}}"#).unwrap();
    assert_eq!(role.password, Some(SecretRef::Secret("orders-app".to_owned())));
    let role = parse(r#"{"user":"app","password":{"env":"APP_PW"}}"#).unwrap();
    assert_eq!(role.password, Some(SecretRef::Env("APP_PW".to_owned())));
    let role = parse(r#"{"user":"app","certificate":{"cert":"app.pem","key":{"file":"app.key"}}}"#).unwrap();
    let role = role.relative_to(Path::new("/etc/sallyport"));
    let certificate = role.certificate.unwrap();
    assert_eq!(certificate.cert, Path::new("/etc/sallyport/app.pem"));
    assert_eq!(certificate.key, SecretRef::File("/etc/sallyport/app.key".into()));
    assert_eq!(parse(r#"{"user":"app"}"#).unwrap().password, None);
}

#[test]
fn writes_what_it_reads() {
    for reference in [SecretRef::Secret("a".to_owned()), SecretRef::Env("B".to_owned()), SecretRef::File("/c".into())] {
        let text = serde_json::to_string(&reference).unwrap();
        assert_eq!(serde_json::from_str::<SecretRef>(&text).unwrap(), reference, "{text}");
    }
}

#[test]
fn a_value_in_the_configuration_is_refused_and_not_repeated() {
    for value in [
        r#""hunter2""#,
        r#"{"hunter2":"x"}"#,
        r#"{"secret":{"hunter2":1}}"#,
        r#"{"secret":"hunter2 !"}"#,
        r#"{"env":["hunter2"]}"#,
        r#"{"secret":"a","env":"hunter2"}"#,
        r#"{"env":"hunter2=x"}"#,
        r#"["hunter2"]"#,
    ] {
        let error = parse(&format!(r#"{{"user":"app","password":{value}}}"#)).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{value}: {error}");
        assert!(error.contains("secret"), "{value}: {error}");
    }
    for value in ["12345", "-12345", "1.2345", "true", "{}"] {
        let error = parse(&format!(r#"{{"user":"app","password":{value}}}"#)).unwrap_err().to_string();
        assert!(!error.contains("2345"), "{error}");
        assert!(error.contains("a value itself never stands in the configuration"), "{error}");
    }
}

#[test]
fn unknown_keys_are_refused() {
    assert!(parse(r#"{"user":"app","pasword":{"secret":"a"}}"#).is_err());
    assert!(parse(r#"{"password":{"secret":"a"}}"#).is_err());
    assert!(parse(r#"{"user":"app","certificate":{"cert":"a"}}"#).is_err());
}

#[test]
fn has_a_schema_with_its_three_forms() {
    let schema = serde_json::to_string(&schemars::schema_for!(RoleConfig)).unwrap();
    for form in ["secret", "env", "file", "certificate"] {
        assert!(schema.contains(&format!("\"{form}\"")), "{form}: {schema}");
    }
}
