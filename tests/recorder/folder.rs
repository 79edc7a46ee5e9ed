//! The folder: private, found again, refused where it is not safe.

use crate::rig::*;

#[test]
fn a_folder_is_private_and_names_do_not_clash() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (new_folder(dir.path()), new_folder(dir.path()));
    assert_eq!(a.name, "2026-11-22-1403-api-slow");
    assert_eq!(b.name, "2026-11-22-1403-api-slow-2");
    let writer = join(&a, "ana");
    let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o7777;
    for path in [&a.path, &a.path.join("events"), &store_in(dir.path()).root] {
        assert_eq!(mode(path), 0o700, "{}", path.display());
    }
    assert_eq!(mode(&writer.path()), 0o600);
    // The key of the placeholders does not travel with the incident.
    let inside = fs::read_dir(&a.path).unwrap().count();
    assert_eq!(inside, 1, "only `events`");
    assert_eq!(a.key(), a.key());
    assert_ne!(a.key(), b.key());
}

#[test]
fn an_unsafe_place_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let title = redactor().text(&"x".into());
    let create = |root: &Path| {
        let store = Store { root: root.into() };
        store.create(&title, Timestamp::UNIX_EPOCH, &new_key())
    };
    let real = dir.path().join("real");
    fs::create_dir(&real).unwrap();
    assert!(
        create(&real).is_ok(),
        "the control: a plain folder is taken"
    );

    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let said = create(&link).unwrap_err().to_string();
    assert!(said.contains("link") && said.contains("--state"), "{said}");
    let dangling = dir.path().join("dangling");
    std::os::unix::fs::symlink(dir.path().join("nowhere"), &dangling).unwrap();
    assert!(create(&dangling).is_err());

    fs::set_permissions(&real, fs::Permissions::from_mode(0o777)).unwrap();
    let said = create(&real).unwrap_err().to_string();
    assert!(
        said.contains("by others") && said.contains("--state"),
        "{said}"
    );
    fs::set_permissions(&real, fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(create(&real).is_ok(), "the control: sticky, like /tmp");
    if is_root() {
        fs::set_permissions(&real, fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::chown(&real, Some(65534), None).unwrap();
        let said = create(&real).unwrap_err().to_string();
        assert!(said.contains("another user"), "{said}");
    } else {
        println!("skipped: a folder of another user (needs root)");
    }
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(create(&file).is_err());
}

#[test]
fn incidents_are_found_by_name_by_beginning_and_by_path() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_in(dir.path());
    assert_eq!(store.list().unwrap(), []);
    let (a, b) = (new_folder(dir.path()), new_folder(dir.path()));
    drop(join(&a, "ana"));
    let name = |what: &str| store.find(what).unwrap().name;
    assert_eq!(name(&a.name), a.name);
    assert_eq!(name(a.path.to_str().unwrap()), a.name);
    assert_eq!(name("last"), b.name);
    assert_eq!(name("2026-11-22-1403-api-slow-"), b.name);
    let said = store.find("2026").unwrap_err().to_string();
    assert!(said.contains("could be"), "{said}");
    let said = store.find("2027").unwrap_err().to_string();
    assert!(said.contains("incident list"), "{said}");
    // A broken one is listed with the reason.
    let list = store.list().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0].summary.as_ref().unwrap().title.as_str(), "api slow");
    let said = list[1].summary.as_ref().unwrap_err();
    assert!(said.as_str().contains("no event"), "{said}");
}

#[test]
fn the_open_incident_of_the_same_targets_is_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let store = store_in(dir.path());
    let now = Timestamp::now();
    let title = redactor().text(&"x".into());
    let folder = store.create(&title, now, &new_key()).unwrap();
    let mut writer = join(&folder, "ana");
    let found = |at: Timestamp| store.resumable(&BTreeSet::new(), at).map(|f| f.name);
    let later = now + SignedDuration::from_mins(5);
    assert_eq!(found(later), Some(folder.name.clone()));
    assert_eq!(found(now + SignedDuration::from_hours(13)), None);
    let other = BTreeSet::from([TargetId("x".into())]);
    assert_eq!(store.resumable(&other, later), None);
    let resolved = EventKind::MilestoneSet {
        milestone: Milestone::Resolved,
        basis: Basis::Stated,
    };
    writer.append(&record(1, resolved)).unwrap();
    assert_eq!(found(later), None);
}
