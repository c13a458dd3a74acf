//! Tags and exports.

use std::fs;

use cadre_runs::{
    RunsError, Selection, TAGS_FORMAT, change_tags, export_csv, export_parquet, export_tensorboard, read_tags,
};

use super::Runs;

#[test]
fn tags_are_kept_in_the_run() {
    let runs = Runs::new();
    let run = runs.begin("see-a", 0.1);
    let tags = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert!(read_tags(&run).unwrap().is_empty());
    change_tags(&run, &tags(&["good", "é1"]), &[]).unwrap();
    change_tags(&run, &tags(&["x"]), &tags(&["good", "never-there"])).unwrap();
    assert_eq!(read_tags(&run).unwrap().into_iter().collect::<Vec<_>>(), ["x", "é1"]);
    for bad in ["", "-x", "two words", "a,b", &"x".repeat(65)] {
        assert!(matches!(change_tags(&run, &tags(&[bad]), &[]), Err(RunsError::BadTag { .. })), "{bad}");
    }
    assert_eq!(read_tags(&run).unwrap().len(), 2);
    let newer = format!("{{\"format-version\": {}, \"tags\": []}}", TAGS_FORMAT + 1);
    fs::write(run.tags(), &newer).unwrap();
    assert!(matches!(change_tags(&run, &tags(&["y"]), &[]), Err(RunsError::NewerFormat { .. })));
    assert_eq!(
        fs::read_to_string(run.tags()).unwrap(),
        newer,
        "a file of a newer version is not overwritten"
    );
}

#[test]
fn old_tags_are_read() {
    let runs = Runs::new();
    let run = runs.begin("see-a", 0.1);
    fs::write(run.tags(), include_str!("../samples/tags-1.json")).unwrap();
    assert_eq!(read_tags(&run).unwrap().into_iter().collect::<Vec<_>>(), ["good", "paper/table-2"]);
}

#[test]
fn tables_are_exported_as_csv_and_parquet() {
    let runs = Runs::new();
    runs.done("see-a", 0.1, 80.0);
    runs.begin("see-b", 0.1);
    let columns = Some("id,average-score,backbone.pretrain.architecture.tied".to_owned());
    let table = runs.open().select(&Selection { columns, ..Selection::default() }).unwrap();
    let (csv, parquet) = (runs.path().join("../deep/runs.csv"), runs.path().join("../runs.parquet"));
    export_csv(&table, &csv).unwrap();
    let expected = "id,average-score,backbone.pretrain.architecture.tied\r\nsee-a,80,true\r\nsee-b,,true\r\n";
    assert_eq!(fs::read_to_string(&csv).unwrap(), expected);
    export_parquet(&table, &parquet).unwrap();
    assert!(fs::read(&parquet).unwrap().ends_with(b"PAR1"));
}

#[test]
fn curves_and_figures_are_exported_for_tensorboard() {
    let runs = Runs::new();
    let run = runs.done("see-a", 0.1, 80.0);
    let line = |step: i64, value: f64, time: i64| {
        format!(
            "{{\"stage\":\"train/sort\",\"key\":\"\",\"kind\":{{\"metric\":{{\"name\":\"loss\",\"step\":{step},\
             \"value\":{value}}}}},\"time\":{time}}}\n"
        )
    };
    let mut events = "{\"stage\":\"a\",\"key\":\"\",\"kind\":\"started\",\"time\":1000}\n".to_owned();
    // Step 2 was done twice: before a kill and after it.
    for (step, value, time) in [(1, 4.0, 1500), (2, 3.0, 2000), (2, 2.5, 9000), (3, 2.0, 9500)] {
        events.push_str(&line(step, value, time));
    }
    events.push_str("{\"stage\":\"train/so");
    fs::write(run.events(), events).unwrap();
    let to = runs.path().join("../board");
    let first = export_tensorboard(&run, &to).unwrap();
    assert_eq!(first.unreadable, 1);
    let again = export_tensorboard(&run, &to).unwrap();
    assert_eq!(again, first);
    assert_eq!(fs::read_dir(to.join("see-a")).unwrap().count(), 1);

    let bytes = fs::read(&first.file).unwrap();
    let events = records(&bytes).unwrap();
    assert_eq!(field(events[0], 3), Some(&b"brain.Event:2"[..]));
    assert_eq!(events.len(), first.scalars + 1);
    let scalar = |tag: &str| -> Vec<(u8, f32)> {
        let scalars = events.iter().filter_map(|event| Some((event, field(field(event, 5)?, 1)?)));
        let tagged = scalars.filter(|(_, value)| field(value, 1) == Some(tag.as_bytes()));
        tagged
            .map(|(event, value)| {
                let number = f32::from_le_bytes(field(value, 2).unwrap().try_into().unwrap());
                (field(event, 2).map_or(0, |step| step[0]), number)
            })
            .collect()
    };
    assert_eq!(scalar("train/sort/loss"), [(1, 4.0), (2, 2.5), (3, 2.0)]);
    assert_eq!(scalar("score/sort").len(), 7);
    assert_eq!(scalar("figures/average-score"), [(0, 80.0)]);
    let mut damaged = bytes;
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    assert_eq!(records(&damaged), None, "the checker must detect damage");
}

/// The records of a file in TensorFlow's framing: length, checksum of the length, bytes, checksum of the bytes. `None`
/// if a checksum does not match.
fn records(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = usize::try_from(u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?)).ok()?;
        let data = bytes.get(12..12 + length)?;
        let sums = [(&bytes[..8], bytes.get(8..12)?), (data, bytes.get(12 + length..16 + length)?)];
        for (data, sum) in sums {
            if masked(data).to_le_bytes() != *sum {
                return None;
            }
        }
        found.push(data);
        bytes = &bytes[16 + length..];
    }
    Some(found)
}

/// CRC-32C (Castagnoli, bit by bit), masked as in TensorFlow's record format.
fn masked(data: &[u8]) -> u32 {
    let sum =
        !data.iter().fold(!0u32, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
                if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 }
            })
        });
    sum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The first field with this number in a protobuf message; supports lengths below 2^14 and field numbers below 2^7.
fn field(mut message: &[u8], wanted: u8) -> Option<&[u8]> {
    while let Some((head, rest)) = message.split_first() {
        let (start, length) = match head & 7 {
            0 => (0, 1),
            1 => (0, 8),
            5 => (0, 4),
            _ if rest[0] < 0x80 => (1, usize::from(rest[0])),
            _ => (2, usize::from(rest[0] & 0x7f) + (usize::from(rest[1]) << 7)),
        };
        if head >> 3 == wanted {
            return rest.get(start..start + length);
        }
        message = rest.get(start + length..)?;
    }
    None
}
