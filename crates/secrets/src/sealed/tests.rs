//! The sealed store: what is on disk, what is refused, and rotation cut short at every step.

use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const VALUE: &str = "correct horse battery staple";

fn open(directory: &TempDir) -> SealedStore {
    let key = directory.path().join("keys").join("master.key");
    SealedStore::open_with(directory.path(), KeySource::File(key)).unwrap()
}

fn try_open(directory: &TempDir) -> Result<SealedStore, SealError> {
    SealedStore::open_with(directory.path(), KeySource::File(directory.path().join("keys").join("master.key")))
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn value(store: &SealedStore, name: &str) -> Result<Option<String>, SealError> {
    Ok(store.open_value(name)?.map(|value| String::from_utf8(value.expose().to_vec()).unwrap()))
}

/// Every file below a directory with its content.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let content = std::fs::read(&path).unwrap();
            found.push((path, content));
        }
    }
    found
}

fn holds(content: &[u8], text: &str) -> bool {
    content.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn seals_opens_lists_and_removes() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    assert_eq!(store.set("orders-app", &secret(VALUE)).unwrap().version, 1);
    assert_eq!(store.set("orders-app", &secret("newer")).unwrap().version, 2);
    store.set("A.b_c", &secret(VALUE)).unwrap();
    assert_eq!(value(&store, "orders-app").unwrap().as_deref(), Some("newer"));
    let listed: Vec<_> = store.ls().unwrap().into_iter().map(|info| (info.name, info.version)).collect();
    assert_eq!(listed, [("A.b_c".to_owned(), 1), ("orders-app".to_owned(), 2)]);
    let again = open(&directory);
    assert_eq!(value(&again, "A.b_c").unwrap().as_deref(), Some(VALUE));
    assert!(again.rm("A.b_c").unwrap());
    assert!(!again.rm("A.b_c").unwrap());
    assert_eq!(value(&store, "A.b_c").unwrap(), None);
}

#[test]
fn nothing_readable_is_on_disk_and_nobody_else_may_read_it() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    store.set("orders-app", &secret(VALUE)).unwrap();
    store.set("orders-app", &secret(&VALUE.repeat(100))).unwrap();
    store.rotate(MasterKey::generate().unwrap()).unwrap();
    let found = files(directory.path());
    assert_eq!(found.len(), 3, "key, lock, secret: {found:?}");
    for (path, content) in found {
        assert!(!holds(&content, "horse"), "{}", path.display());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let lock = path.ends_with(".lock");
        assert!(mode == 0o600 || lock, "{}: {mode:o}", path.display());
    }
    for directory in ["keys", "secrets"].map(|name| directory.path().join(name)) {
        assert_eq!(std::fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn one_secret_cannot_be_put_in_another_ones_place() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    store.set("a", &secret("value of a")).unwrap();
    store.set("b", &secret("value of b")).unwrap();
    let (a, b) = (store.path("a"), store.path("b"));
    std::fs::copy(&a, &b).unwrap();
    let error = value(&store, "b").unwrap_err();
    assert!(matches!(error, SealError::Tampered { ref name } if name == "b"), "{error}");
    // Also with the name written over.
    let text = std::fs::read_to_string(&a).unwrap().replace("\"name\":\"a\"", "\"name\":\"b\"");
    std::fs::write(&b, text).unwrap();
    assert!(matches!(value(&store, "b").unwrap_err(), SealError::Tampered { .. }));
    assert_eq!(value(&store, "a").unwrap().as_deref(), Some("value of a"));
}

#[test]
fn every_field_is_authenticated() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    store.set("a", &secret("first")).unwrap();
    let first = std::fs::read_to_string(store.path("a")).unwrap();
    store.set("a", &secret("second")).unwrap();
    let second = std::fs::read_to_string(store.path("a")).unwrap();
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let (first, second) = (parsed(&first), parsed(&second));
    // Each part of the older file put into the newer one.
    for field in ["version", "set", "wrapped", "sealed"] {
        let mut mixed = second.clone();
        mixed[field] = first[field].clone();
        std::fs::write(store.path("a"), mixed.to_string()).unwrap();
        assert!(matches!(value(&store, "a").unwrap_err(), SealError::Tampered { .. }), "{field}");
    }
    let mut newer = second.clone();
    newer["format"] = 2.into();
    std::fs::write(store.path("a"), newer.to_string()).unwrap();
    assert!(matches!(value(&store, "a").unwrap_err(), SealError::Newer { .. }));
    // The cure that the error names.
    std::fs::write(store.path("a"), "gone wrong").unwrap();
    assert!(value(&store, "a").unwrap_err().to_string().contains("sallyport secrets set a"));
    assert!(matches!(store.ls().unwrap_err(), SealError::Tampered { .. }));
    store.set("a", &secret("third")).unwrap();
    assert_eq!(value(&store, "a").unwrap().as_deref(), Some("third"));
}

#[test]
fn another_key_is_named() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    store.set("orders-app", &secret(VALUE)).unwrap();
    let other = SealedStore::open_with(directory.path(), KeySource::Given(MasterKey::generate().unwrap())).unwrap();
    let error = value(&other, "orders-app").unwrap_err().to_string();
    assert!(error.contains(&store.key_id()) && error.contains(&other.key_id()), "{error}");
    assert!(error.contains("bring that key back"), "{error}");
}

#[test]
fn a_lost_key_is_not_replaced_while_there_are_secrets() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let key = directory.path().join("keys").join("master.key");
    std::fs::remove_file(&key).unwrap();
    open(&directory);
    std::fs::remove_file(&key).unwrap();
    let given = KeySource::Given(MasterKey::generate().unwrap());
    SealedStore::open_with(directory.path(), given).unwrap().set("a", &secret(VALUE)).unwrap();
    let error = try_open(&directory).unwrap_err();
    assert!(matches!(error, SealError::KeyMissing { .. }), "{error}");
    assert!(!key.exists());
    assert!(store.set("b", &secret(VALUE)).is_err());
}

#[test]
fn an_open_key_is_refused_at_the_start() {
    let directory = TempDir::new().unwrap();
    open(&directory);
    let key = directory.path().join("keys").join("master.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(try_open(&directory).unwrap_err(), SealError::KeyOpenToOthers { mode: 0o644, .. }));
}

#[test]
fn names_stay_in_the_directory() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let long = "x".repeat(65);
    for name in ["", ".", "..", "../a", "/etc/passwd", "a/b", ".hidden", "-a", "a b", "a\0", "ä", long.as_str()] {
        assert!(matches!(store.set(name, &secret(VALUE)).unwrap_err(), SealError::BadName), "{name}");
        assert!(matches!(store.rm(name).unwrap_err(), SealError::BadName), "{name}");
        assert!(matches!(store.open_value(name), Err(SealError::BadName)), "{name}");
    }
}

#[test]
fn sizes_are_bounded() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    assert!(matches!(store.set("a", &secret("")).unwrap_err(), SealError::Empty));
    let most = "x".repeat(VALUE_LIMIT);
    store.set("a", &secret(&most)).unwrap();
    assert_eq!(value(&store, "a").unwrap().unwrap(), most);
    assert!(matches!(store.set("a", &secret(&format!("{most}x"))).unwrap_err(), SealError::TooLong { .. }));
    std::fs::write(store.path("b"), vec![b' '; FILE_LIMIT + 1]).unwrap();
    assert!(matches!(value(&store, "b").unwrap_err(), SealError::Tampered { .. }));
}

#[test]
fn rotation_leaves_the_old_key_useless_and_a_running_reader_working() {
    let directory = TempDir::new().unwrap();
    let key_file = directory.path().join("keys").join("master.key");
    let running = open(&directory);
    for name in ["a", "b", "c"] {
        running.set(name, &secret(VALUE)).unwrap();
    }
    let old = std::fs::read(&key_file).unwrap();
    let old_id = running.key_id();
    assert_eq!(open(&directory).rotate(MasterKey::generate().unwrap()).unwrap(), 3);
    for name in ["a", "b", "c"] {
        assert_eq!(value(&running, name).unwrap().as_deref(), Some(VALUE));
    }
    assert_ne!(running.key_id(), old_id);
    let old = MasterKey::from_base64(&old, "old").unwrap();
    let with_old = SealedStore::open_with(directory.path(), KeySource::Given(old)).unwrap();
    assert!(matches!(value(&with_old, "a").unwrap_err(), SealError::WrongKey { .. }));
    assert_eq!(running.ls().unwrap().iter().map(|info| info.version).collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn rotation_cut_short_is_finished() {
    // The steps that may have been done: the next key written, and the first `done` of three secrets under it.
    for done in 0..=3 {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        for name in ["a", "b", "c"] {
            store.set(name, &secret(name)).unwrap();
        }
        let next = MasterKey::generate().unwrap();
        let next_id = next.id().to_owned();
        let path = next_file(store.key_file.as_ref().unwrap());
        crate::files::write_whole(&path, &next.file_text()).unwrap();
        for name in ["a", "b", "c"].iter().take(done) {
            let envelope = store.read(name).unwrap().unwrap();
            let old = store.keys().current;
            store.write(&envelope.rewrap(name, &old, &next).unwrap()).unwrap();
        }
        // The process that was running, and one started after: both read all, and write under the key that will stay.
        let started = open(&directory);
        for store in [&store, &started] {
            for name in ["a", "b", "c"] {
                assert_eq!(value(store, name).unwrap().as_deref(), Some(name), "after {done}");
            }
        }
        assert_eq!(started.set("d", &secret("d")).unwrap().key, next_id);
        let last = MasterKey::generate().unwrap();
        let last_id = last.id().to_owned();
        assert_eq!(started.rotate(last).unwrap(), 4);
        let fresh = open(&directory);
        assert_eq!(fresh.key_id(), last_id);
        for name in ["a", "b", "c", "d"] {
            assert_eq!(value(&fresh, name).unwrap().as_deref(), Some(name));
        }
        assert!(!path.exists());
    }
}

#[test]
fn a_given_key_is_rotated_by_whoever_gives_it() {
    let directory = TempDir::new().unwrap();
    let given = |key: &MasterKey| KeySource::Given(MasterKey::from_base64(&key.file_text(), "given").unwrap());
    let (old, new) = (MasterKey::generate().unwrap(), MasterKey::generate().unwrap());
    let store = SealedStore::open_with(directory.path(), given(&old)).unwrap();
    store.set("a", &secret(VALUE)).unwrap();
    store.rotate(MasterKey::from_base64(&new.file_text(), "new").unwrap()).unwrap();
    assert_eq!(value(&store, "a").unwrap().as_deref(), Some(VALUE));
    let again = SealedStore::open_with(directory.path(), given(&new)).unwrap();
    assert_eq!(value(&again, "a").unwrap().as_deref(), Some(VALUE));
    assert!(!directory.path().join("keys").exists());
}

#[test]
fn leftovers_of_a_write_are_swept_and_never_listed() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    store.set("a", &secret(VALUE)).unwrap();
    let leftover = directory.path().join("secrets").join(format!("{}1-1", crate::files::TEMPORARY));
    std::fs::write(&leftover, "half").unwrap();
    assert_eq!(store.ls().unwrap().len(), 1);
    open(&directory);
    assert!(!leftover.exists());
}

#[test]
fn many_that_start_at_once_get_one_key() {
    let directory = TempDir::new().unwrap();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&directory).key_id())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
}

#[test]
fn debug_and_errors_show_no_value() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    store.set("a", &secret(VALUE)).unwrap();
    let mut shown = format!("{store:?} {:?}", store.ls().unwrap());
    std::fs::write(store.path("a"), VALUE).unwrap();
    shown.push_str(&format!("{:?} {}", value(&store, "a").unwrap_err(), value(&store, "a").unwrap_err()));
    let key = std::fs::read_to_string(directory.path().join("keys").join("master.key")).unwrap();
    assert!(!shown.contains("horse") && !shown.contains(key.trim()), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_value_comes_back_and_any_flipped_bit_is_noticed(bytes in prop::collection::vec(any::<u8>(), 1..200), place: prop::sample::Index, bit in 0..8_u8) {
        let directory = TempDir::new().unwrap();
        let store = SealedStore::open_with(directory.path(), KeySource::Given(MasterKey::generate().unwrap())).unwrap();
        store.set("a", &Secret::new(bytes.clone())).unwrap();
        let opened = store.open_value("a").unwrap().unwrap();
        prop_assert_eq!(opened.expose(), bytes.as_slice());
        let mut file = std::fs::read(store.path("a")).unwrap();
        let place = place.index(file.len() - 1);
        file[place] ^= 1 << bit;
        std::fs::write(store.path("a"), &file).unwrap();
        match store.open_value("a") {
            // A flipped bit in a field's name or in white space may still be JSON, but never another value.
            Ok(Some(value)) => prop_assert_eq!(value.expose(), bytes.as_slice()),
            Ok(None) => prop_assert!(false, "the file is there"),
            Err(SealError::Tampered { .. } | SealError::WrongKey { .. } | SealError::Newer { .. }) => {}
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
