//! Samples in their files: written, torn, damaged, thinned, read by somebody else meanwhile.

use std::os::unix::fs::FileExt;

use warroom::engine::recorder::Sample;
use warroom::incident::samples::{SampleWriter, Samples};
use warroom::model::event::WriterId;
use warroom::model::observation::{
    Body, Echo, How, Method, ObsId, Observation, Outcome, PingSample, Resolution,
};
use warroom::model::time::{Mono, Rtt, Stamp};
use warroom::redact::SampleRedactor;

use super::rig::*;

/// Ping number `n` of a target, one a second from the start of the incident on.
fn ping(n: u64) -> Observation {
    let mono = Mono(n * 1_000_000_000);
    let wall: Timestamp = "2026-11-22T14:03:00Z".parse().unwrap();
    Observation {
        id: ObsId(n),
        at: Stamp {
            wall: wall + SignedDuration::from_secs(n as i64),
            mono,
        },
        target: TargetId("db1".into()),
        how: How::best(Method::IcmpDatagram),
        body: Body::Ping(PingSample {
            dst: "192.0.2.7".parse().unwrap(),
            port: None,
            seq: n as u32,
            sent: mono,
            size: None,
            outcome: Outcome::Ok(Echo {
                rtt: Rtt(1_000_000 + n % 13 * 1000),
                reply_ttl: Some(60),
                reply_tos: None,
                corrupt: false,
            }),
            afterwards: Default::default(),
        }),
    }
}

fn safe(obs: Observation) -> Redacted<Observation> {
    SampleRedactor::new(redactor()).observation(obs).unwrap()
}

fn writer(folder: &Folder) -> SampleWriter {
    SampleWriter::new(folder, WriterId("ana@jump1-0001".into()))
}

/// Numbers of all observations that can be read, each once.
fn ids(folder: &Folder) -> Vec<u64> {
    let samples = Samples::open(folder).unwrap();
    let mut found = Vec::new();
    for session in samples.sessions() {
        for block in &session.blocks {
            let content = block.read();
            found.extend(content.iter().flat_map(|c| &c.observations).map(|o| o.id.0));
        }
    }
    found
}

fn samples_dir(folder: &Folder) -> PathBuf {
    folder.path.join("samples")
}

#[test]
fn what_is_flushed_is_read_and_what_is_sealed_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let folder = new_folder(dir.path());
    let mut writer = writer(&folder);
    assert!(ids(&folder).is_empty(), "no folder of samples is no error");
    for n in 0..10 {
        writer.observation(&safe(ping(n)));
        if n % 3 == 0 {
            writer.flush().unwrap();
        }
    }
    assert_eq!(ids(&folder), (0..10).collect::<Vec<_>>());
    let tail = samples_dir(&folder).join("ana@jump1-0001.tail");
    let before = fs::read(&tail).unwrap();
    writer.seal().unwrap();
    assert_eq!(fs::metadata(&tail).unwrap().len(), 0);
    // A crash between both: the tail still has what is sealed.
    fs::write(&tail, before).unwrap();
    assert_eq!(ids(&folder), (0..10).collect::<Vec<_>>());
    for n in 10..15 {
        writer.observation(&safe(ping(n)));
    }
    writer.close().unwrap();
    assert_eq!(ids(&folder), (0..15).collect::<Vec<_>>());
    assert!(!tail.exists(), "a closed session has no tail");
    let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&samples_dir(&folder)), 0o700);
    for entry in fs::read_dir(samples_dir(&folder)).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

/// Five blocks of ten in one segment.
fn five_blocks(folder: &Folder) -> PathBuf {
    let mut writer = writer(folder);
    for block in 0..5 {
        for n in block * 10..block * 10 + 10 {
            writer.observation(&safe(ping(n)));
        }
        writer.seal().unwrap();
    }
    writer.close().unwrap();
    samples_dir(folder).join("ana@jump1-0001.wrs")
}

#[test]
fn a_torn_end_loses_only_itself_wherever_it_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    let folder = new_folder(dir.path());
    let path = five_blocks(&folder);
    let whole = fs::read(&path).unwrap();
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let mut lengths = BTreeSet::new();
    for _ in 0..200 {
        let cut = (dice(&mut seed) % whole.len() as u64) as usize;
        fs::write(&path, &whole[..cut]).unwrap();
        let found = ids(&folder);
        assert_eq!(
            found,
            (0..found.len() as u64).collect::<Vec<_>>(),
            "cut at {cut}"
        );
        assert_eq!(found.len() % 10, 0, "cut at {cut}");
        let samples = Samples::open(&folder).unwrap();
        let torn = samples.damage();
        assert!(torn.iter().all(|d| d.torn) && torn.len() <= 1, "{torn:?}");
        lengths.insert(found.len());
    }
    assert!(lengths.len() >= 4, "{lengths:?}");
}

#[test]
fn a_damaged_block_loses_only_itself_and_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let folder = new_folder(dir.path());
    let path = five_blocks(&folder);
    let whole = fs::read(&path).unwrap();
    let mut seed = 0x2545_f491_4f6c_dd1d;
    let mut lost = 0;
    for _ in 0..200 {
        let mut bytes = whole.clone();
        // The first line of the file is no block.
        let at = 18 + (dice(&mut seed) % (whole.len() as u64 - 18)) as usize;
        bytes[at] ^= 1 << (dice(&mut seed) % 8);
        fs::write(&path, &bytes).unwrap();
        let found = ids(&folder);
        assert_eq!(found.len(), 40, "bit at {at}");
        assert!(found.iter().all(|id| *id < 50));
        lost += 1;
    }
    assert_eq!(lost, 200);
}

#[test]
fn a_block_of_a_later_kind_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let folder = new_folder(dir.path());
    let path = five_blocks(&folder);
    let foreign = {
        // Whatever it holds, its header says how long it is.
        use sha2::{Digest, Sha256};
        let content = b"of a later version";
        let mut block = vec![0xf5, b'W', b'R', b'\n', 77, 0, 0, 0];
        block.extend((content.len() as u32).to_le_bytes());
        block.extend([0; 4 + 32]);
        block.extend(&Sha256::digest(content)[..8]);
        let sum = Sha256::digest(&block);
        block.extend(&sum[..4]);
        block.extend(content);
        block
    };
    let mut bytes = fs::read(&path).unwrap();
    bytes.splice(18..18, foreign);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(ids(&folder).len(), 50);
    assert_eq!(Samples::open(&folder).unwrap().damage(), []);
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn old_samples_become_figures_but_for_those_that_are_cited() {
    let dir = tempfile::tempdir().unwrap();
    let folder = new_folder(dir.path());
    // A finding of this session cites one of them.
    let events = folder.path.join("events");
    fs::write(
        events.join("ana@jump1-0001.jsonl"),
        "not even JSON\n{\"kind\":\"finding_opened\",\"finding\":{\"evidence\":[{\"observations\":[77],\"text\":\"\"}]}}\n",
    )
    .unwrap();
    fs::write(
        events.join("ben@jump1-0002.jsonl"),
        "{\"kind\":\"finding_opened\",\"finding\":{\"evidence\":[{\"observations\":[78],\"text\":\"\"}]}}\n",
    )
    .unwrap();
    let mut writer = writer(&folder);
    for n in 0..600 {
        writer.observation(&safe(ping(n)));
    }
    writer.seal().unwrap();
    let day = Limits {
        size: 1 << 30,
        age: 86_400_000,
    };
    let start = ping(0).at.wall.as_millisecond();
    // Too young for anything; then old enough, in one segment of its own.
    assert!(writer.thin(day, start + 700_000, false).unwrap().is_none());
    let mut thinning = writer
        .thin(day, start + 2 * 86_400_000, false)
        .unwrap()
        .unwrap();
    assert_eq!(ids(&folder).len(), 600, "nothing is gone before it is done");
    while !writer.go_on(&mut thinning).unwrap() {}
    assert_eq!(ids(&folder), [77]);
    let samples = Samples::open(&folder).unwrap();
    let content = samples.sessions()[0].blocks[0].read().unwrap();
    assert_eq!(content.minutes.len(), 10);
    let all: u32 = content.minutes.iter().map(|m| m.answered).sum();
    assert_eq!(all, 600);
    for minute in &content.minutes {
        assert_eq!((minute.lost, minute.min), (0, Rtt(1_000_000)));
        assert!(minute.min < minute.mid && minute.mid < minute.max);
    }
    // Thinned once, not again; and what comes later goes on.
    assert!(
        writer
            .thin(day, start + 3 * 86_400_000, true)
            .unwrap()
            .is_none()
    );
    writer.observation(&safe(ping(600)));
    writer.close().unwrap();
    assert_eq!(ids(&folder), [77, 600]);
}

#[test]
fn the_recorder_keeps_samples_without_their_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let secrets = Secrets::new();
    secrets.add(&Secret::new("s3cr3t-community"));
    let mut rig = Rig::with(Place::New(store_in(dir.path())), who("ana"), secrets);
    rig.note("keep it");
    let folder = eventually("a folder", || rig.handle.folder());
    let folder = Folder::existing(&folder).unwrap();
    let mut named = ping(1);
    named.target = TargetId("snmp://s3cr3t-community@sw1".into());
    let mut fact = ping(2);
    fact.body = Body::Resolve(Resolution {
        name: "s3cr3t-community.example".into(),
        outcome: Outcome::CannotTry {
            need: "the right s3cr3t-community".into(),
        },
    });
    let all = vec![ping(0), named, fact];
    rig.handle.samples(all.into_iter().map(Sample::Seen));
    eventually("samples on disk", || {
        (ids(&folder).len() == 3).then_some(())
    });
    let mut read = String::new();
    for session in Samples::open(&folder).unwrap().sessions() {
        for block in session.blocks {
            read += &format!("{:?}", block.read().unwrap());
        }
    }
    assert!(!read.contains("s3cr3t"), "{read}");
    assert_eq!(read.matches("‹secret:").count(), 3, "{read}");
    rig.handle.flush_and_stop(Duration::from_secs(30));
    assert_eq!(ids(&folder).len(), 3);
}

#[test]
fn an_incident_that_nobody_would_miss_takes_its_samples_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(Place::New(store_in(dir.path())), "ana");
    let folder = eventually("a folder", || rig.handle.folder());
    rig.handle
        .samples((0..5u32).map(|n| Sample::Seen(ping(n.into()))));
    eventually("a tail", || folder.join("samples").exists().then_some(()));
    let leave = rig.handle.flush_and_stop(Duration::from_secs(30));
    assert_eq!(leave.folder, None);
    assert!(!folder.exists());
}

#[test]
fn a_full_disk_costs_detail_and_a_gap_says_what() {
    let dir = tempfile::tempdir().unwrap();
    let folder = new_folder(dir.path());
    let mut writer = writer(&folder);
    writer.observation(&safe(ping(0)));
    writer.seal().unwrap();
    // The folder of samples can't be written to: a file stands in its way.
    fs::remove_dir_all(samples_dir(&folder)).unwrap();
    fs::write(samples_dir(&folder), "in the way").unwrap();
    for n in 1..=110_000 {
        writer.observation(&safe(ping(n)));
        if writer.is_full() && n % 1000 == 0 {
            writer.seal().unwrap_err();
        }
    }
    fs::remove_file(samples_dir(&folder)).unwrap();
    writer.close().unwrap();
    let samples = Samples::open(&folder).unwrap();
    let (mut raw, mut counted) = (0, 0);
    for block in &samples.sessions()[0].blocks {
        let content = block.read().unwrap();
        raw += content.observations.len();
        counted += content
            .minutes
            .iter()
            .map(|m| m.answered as usize)
            .sum::<usize>();
    }
    assert_eq!(
        raw + counted,
        110_000,
        "each is there, as itself or in a figure"
    );
    assert!(counted > 50_000 && raw > 1000, "{raw} {counted}");
}

#[test]
fn who_reads_meanwhile_sees_only_whole_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let folder = new_folder(dir.path());
    let mut writer = writer(&folder);
    let mut samples = Samples::open(&folder).unwrap();
    for n in 0..40 {
        writer.observation(&safe(ping(n)));
        match n % 7 {
            6 => writer.seal().unwrap(),
            _ => writer.flush().unwrap(),
        }
        samples.look().unwrap();
        let found: usize = samples
            .sessions()
            .iter()
            .flat_map(|s| &s.blocks)
            .filter_map(|b| b.read())
            .map(|c| c.observations.len())
            .sum();
        assert_eq!(found as u64, n + 1);
    }
    // Half a block at the end: it is being written.
    let tail = samples_dir(&folder).join("ana@jump1-0001.tail");
    let file = fs::OpenOptions::new().write(true).open(&tail).unwrap();
    let end = file.metadata().unwrap().len();
    file.write_all_at(&[0xf5, b'W', b'R', b'\n', 1], end)
        .unwrap();
    samples.look().unwrap();
    assert!(samples.damage().iter().all(|d| d.torn));
    assert_eq!(ids(&folder).len(), 40);
}
