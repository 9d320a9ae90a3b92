//! Master keys, their files, and what is refused.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

fn refused(result: Result<MasterKey, SealError>) -> SealError {
    match result {
        Ok(_) => panic!("a key was read"),
        Err(error) => error,
    }
}

fn write(path: &Path, text: &[u8], mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_gives_the_key_that_was_written() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("master.key");
    let key = MasterKey::generate().unwrap();
    write(&path, &key.file_text(), 0o600);
    let read = MasterKey::from_file(&path).unwrap();
    assert_eq!(read.bytes(), key.bytes());
    assert_eq!(read.id(), key.id());
    assert_eq!(key.id().len(), 16);
    assert_ne!(MasterKey::generate().unwrap().id(), key.id());
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("master.key");
    let key = MasterKey::generate().unwrap();
    for mode in [0o640, 0o604, 0o660, 0o601] {
        write(&path, &key.file_text(), mode);
        let error = refused(MasterKey::from_file(&path)).to_string();
        assert!(error.contains(&format!("mode {mode:04o}")) && error.contains("chmod 600"), "{error}");
    }
    write(&path, &key.file_text(), 0o400);
    MasterKey::from_file(&path).unwrap();
}

#[test]
fn what_is_no_key_is_refused_without_showing_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("master.key");
    let long = "QUJD".repeat(20);
    for text in ["", "hunter2", "aHVudGVyMg==", "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ!", long.as_str()] {
        write(&path, text.as_bytes(), 0o600);
        let error = refused(MasterKey::from_file(&path)).to_string();
        assert!(error.contains("32 bytes in base64"), "{error}");
        assert!(text.is_empty() || !error.contains(text), "{error}");
    }
    assert!(matches!(refused(MasterKey::from_file(&directory.path().join("none"))), SealError::KeyMissing { .. }));
    assert!(matches!(
        refused(MasterKey::from_file(directory.path())),
        SealError::KeyOpenToOthers { .. } | SealError::File { .. }
    ));
}

#[test]
fn white_space_around_a_key_is_allowed() {
    let key = MasterKey::generate().unwrap();
    let text = [b"  \n".as_slice(), &key.file_text(), b"\r\n"].concat();
    assert_eq!(MasterKey::from_base64(&text, "here").unwrap().bytes(), key.bytes());
}
