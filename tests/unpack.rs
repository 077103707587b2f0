//! gzip and zstd input: known by the first bytes, in several pieces, cut off, damaged.

use crate::util::{Output, Streamw};
use std::io::Write;

const RECORDS: usize = 5_000;

fn records() -> Vec<u8> {
    (0..RECORDS).flat_map(|i| format!("{{\"ts\":{i},\"v\":{}}}\n", i % 7).into_bytes()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory")
}

fn run(stdin: Vec<u8>, size: usize) -> Output {
    Streamw::new().args("-w 1h -a count -a sum:v -q --stats").stdin(stdin).read_size(size).run()
}

fn without_seconds(output: &Output) -> (u8, String, String) {
    let stderr = output.stderr.split("\"seconds\"").next().unwrap_or_default().to_owned();
    (output.status, output.stdout.clone(), stderr)
}

#[test]
fn packed_input_reads_as_what_it_holds() {
    let plain = run(records(), usize::MAX);
    assert_eq!(plain.status, 0);
    let (first, second) = (&records()[..20_000], &records()[20_000..]);
    for (what, packed) in [
        ("gzip", gzip(&records())),
        ("gzip of two members", [gzip(first), gzip(second)].concat()),
        ("gzip with an empty member", [gzip(b""), gzip(&records()), gzip(b"")].concat()),
        // As on tapes and in blocks.
        ("gzip filled up with zeros", [gzip(&records()), vec![0; 100_000]].concat()),
        ("zstd", zstd(&records())),
        ("zstd of two frames", [zstd(first), zstd(second)].concat()),
    ] {
        for size in [1, 7, 4096, usize::MAX] {
            let output = run(packed.clone(), size);
            assert_eq!(without_seconds(&output), without_seconds(&plain), "{what} in pieces of {size}");
        }
    }
}

#[test]
fn packed_input_that_is_cut_off_or_damaged_gives_what_was_whole_and_fails() {
    for (what, packed, message) in [
        ("gzip", gzip(&records()), "-: the gzip data is cut off"),
        ("zstd", zstd(&records()), "-: the zstd data is cut off"),
    ] {
        for end in [5, packed.len() / 2, packed.len() - 1] {
            let output = Streamw::new().args("-w 10s -i ndjson -t ts").stdin(packed[..end].to_vec()).run();
            assert_eq!(output.status, 1, "{what} cut at {end}");
            assert!(output.stderr.contains(message), "{what} cut at {end}: {}", output.stderr);
            // (A zstd block is whole or nothing.) Each window that the whole records completed is there, in order, and none that they did not.
            let rows = output.stdout.lines().count();
            assert!(output.stdout.lines().all(|row| row.contains("\"count\":10,")), "{what} cut at {end}");
            assert!(
                rows < RECORDS / 10 && (end < packed.len() - 1 || what == "zstd" || rows > 0),
                "{what} cut at {end}: {rows} rows"
            );
        }
    }
    // All that was packed is read; what follows it is told.
    for (what, packed, message) in [
        (
            "gzip",
            [gzip(&records()), b"garbage\n".to_vec()].concat(),
            "-: the gzip data is damaged (something else follows it)",
        ),
        (
            "gzip",
            [gzip(&records()), b"\0\0{\"ts\":1}\n".to_vec()].concat(),
            "-: the gzip data is damaged (something else follows it)",
        ),
        ("gzip", [gzip(&records()), gzip(b"")[..3].to_vec()].concat(), "-: the gzip data is cut off"),
        ("zstd", [zstd(&records()), b"garbage\n".to_vec()].concat(), "-: the zstd data is damaged"),
    ] {
        for size in [1, 7, usize::MAX] {
            let output = run(packed.clone(), size);
            assert_eq!(
                (output.status, output.summary()["events"].as_u64()),
                (1, Some(RECORDS as u64)),
                "{what}: {}",
                output.stderr
            );
            assert!(output.stderr.contains(message), "{what}: {}", output.stderr);
        }
    }
    let mut damaged = gzip(&records());
    let middle = damaged.len() / 2;
    damaged[middle..middle + 8].fill(0xFF);
    let output = run(damaged, 4096);
    assert_eq!(output.status, 1);
    assert!(output.stderr.contains("the gzip data is"), "{}", output.stderr);
}

#[test]
fn what_is_packed_twice_is_refused_by_name() {
    // A bomb of ten layers stays as small as it came.
    for (packed, command) in [
        (gzip(&gzip(&records())), "gzip -dc"),
        (zstd(&gzip(&records())), "zstd -dc"),
        (gzip(&zstd(&records())), "gzip -dc"),
    ] {
        for size in [1, 7, 4096] {
            let output = Streamw::new().args("-w 1h").stdin(packed.clone()).read_size(size).run();
            let message = format!("streamw: -: packed twice; try: ... | {command} | streamw ...\n");
            assert_eq!((output.status, output.stderr), (1, message));
        }
    }
}

#[test]
fn a_long_line_in_packed_input_takes_no_memory_to_skip() {
    // 64 MiB without a newline, in a few kilobytes.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        encoder.write_all(&[b'['; 1 << 20]).expect("memory");
    }
    encoder.write_all(b"\n{\"ts\":1}\n").expect("memory");
    let packed = encoder.finish().expect("memory");
    let output = Streamw::new().args("-w 10s -t ts -i ndjson").stdin(packed).run();
    assert_eq!(output.stdout.lines().count(), 1);
    assert!(output.stderr.contains("a line of 67108864 bytes"), "{}", output.stderr);
}
