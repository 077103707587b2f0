//! The figures of the plan for hostile input, measured: memory as the kernel tells it, time as the processor's.
//!
//! Input is made while it is read, through pipes, and lies nowhere. Each test says what it measured.

use std::io::Write;
use std::path::Path;
use std::thread;

use crate::hostile::keys;
use crate::streams::Program;

const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;
/// "RSS <= 64 MB above normal".
const MOST_MEMORY_ABOVE: u64 = 64;

impl Program {
    /// Seconds of processor time so far.
    fn cpu_seconds(&self) -> f64 {
        self.cpu_times().iter().sum()
    }

    /// Seconds of processor time so far: its own, and the system's on its behalf.
    fn cpu_times(&self) -> [f64; 2] {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        // The name in parentheses may have blanks; the times are the 14th and 15th field, in hundredths.
        let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
        [fields[11], fields[12]].map(|ticks| ticks.parse::<f64>().expect("a number") / 100.0)
    }

    fn send_again_and_again(&mut self, piece: &[u8], bytes: usize) {
        (0..bytes / piece.len()).for_each(|_| self.send(piece));
    }
}

/// Memory of a run that has little to do.
fn normal_memory(args: &str) -> u64 {
    let mut program = Program::start(args);
    program.send("{\"ts\":1}\n{\"ts\":11}\n".repeat(1000));
    program.row();
    program.peak_memory()
}

/// Processor time and peak memory for input that is written by `write` and then ended by a record whose row is awaited.
struct Cost {
    seconds: f64,
    memory: u64,
}

/// What it costs to take `input`, in which the last record fires the row awaited.
fn cost(args: &str, input: Vec<u8>, awaited: &str) -> Cost {
    let mut program = Program::start(args);
    let mut stdin = program.stdin.take().expect("a pipe");
    let writer = thread::spawn(move || {
        stdin.write_all(&input).expect("it is read");
        stdin
    });
    while !program.row().contains(awaited) {}
    let cost = Cost { seconds: program.cpu_seconds(), memory: program.peak_memory() };
    drop(writer.join().expect("all is written"));
    cost
}

#[test]
#[ignore = "10 GB a case"]
fn h3_a_line_of_ten_gigabytes_from_stdin() {
    // What begins the line, what fills it, what ends it.
    for (format, begin, fill, end) in [
        ("ndjson", "{\"ts\":1}\n", "x", "\n{\"ts\":11}\n"),
        ("ndjson", "{\"ts\":1}\n", "\0", "\n{\"ts\":11}\n"),
        ("ndjson", "{\"ts\":1}\n", "[", "\n{\"ts\":11}\n"),
        ("ndjson", "{\"ts\":1}\n", "\"", "\n{\"ts\":11}\n"),
        ("ndjson", "{\"ts\":1}\n", " ", "\n{\"ts\":11}\n"),
        ("csv", "ts,v\n1,2\n2,\"", "x", "\n11,2\n"),
        ("csv", "ts,v\n1,2\n", "\"", "\n11,2\n"),
    ] {
        let args = format!("-w 10s -t ts -i {format}");
        let normal = normal_memory("-w 10s -t ts -i ndjson");
        let mut program = Program::start(&args);
        program.send(begin);
        program.send_again_and_again(fill.repeat(MIB).as_bytes(), 10 * GIB);
        program.send(end);
        program.row();
        assert!(program.report().contains("\"reason\":\"too_long\""));
        let (memory, speed) = (program.peak_memory(), 10.0 * GIB as f64 / 1e6 / program.cpu_seconds());
        println!("H3 {format} {fill:?}: {memory} MiB (normal {normal}), {speed:.0} MB/s of processor time");
        assert!(memory <= normal + MOST_MEMORY_ABOVE && speed >= 500.0);
        assert_eq!(program.end().0, Some(0));
    }
}

#[test]
#[ignore = "10 GB"]
fn h3_a_line_of_ten_gigabytes_in_a_file() {
    // A file with a hole: zeros that take no space.
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ten_gigabytes.ndjson");
    std::fs::File::create(&path).and_then(|file| file.set_len(10 * GIB as u64)).expect("a file");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("a file");
    file.write_all(b"\n{\"ts\":1}\n{\"ts\":11}\n").expect("a disk");
    // Stdin stays open behind it, so that it can be looked at.
    let program = Program::start(&format!("-w 10s -t ts {} -", path.display()));
    program.row();
    assert!(program.report().contains("a line of 10737418240 bytes"));
    // What the file system takes to find its zeros is not ours.
    let (memory, [own, system]) = (program.peak_memory(), program.cpu_times());
    let speed = 10.0 * GIB as f64 / 1e6 / own.max(0.01);
    println!("H3 file of zeros: {memory} MiB, {own:.1} s ({speed:.0} MB/s) and {system:.1} s of the system");
    assert!(memory <= normal_memory("-w 10s -t ts") + MOST_MEMORY_ABOVE && speed >= 500.0);
    assert_eq!(program.end().0, Some(0));
    std::fs::remove_file(path).expect("the file is there");
}

#[test]
#[ignore = "a minute"]
fn h3_garbage_in_short_lines() {
    for (format, header) in [("ndjson", ""), ("csv", "ts,v\n")] {
        let mut program = Program::start(&format!("-w 10s -t ts --bad /dev/null -i {format}"));
        program.send(header);
        program.send_again_and_again("x\n".repeat(MIB / 2).as_bytes(), 100 * MIB);
        program.send("{\"ts\":1}\n1,1\n{\"ts\":100}\n100,1\n");
        program.row();
        let (memory, seconds) = (program.peak_memory(), program.cpu_seconds());
        println!("H3 {format}, 52 million bad records of a byte: {memory} MiB, {seconds:.1} s");
        assert!(memory <= normal_memory("-w 10s -t ts") + MOST_MEMORY_ABOVE);
    }
}

#[test]
#[ignore = "timing"]
fn h6_a_number_of_a_megabyte() {
    let times = 100;
    let digits = "1".repeat(1_000_000);
    for (what, before, after) in [
        ("a value", "{\"ts\":1,\"v\":", "}\n"),
        ("a value in quotes", "{\"ts\":1,\"v\":\"", "\"}\n"),
        ("a fraction", "{\"ts\":1,\"v\":0.", "}\n"),
        ("an exponent", "{\"ts\":1,\"v\":1e", "}\n"),
        ("a key", "{\"ts\":1,\"k\":", "}\n"),
        ("a time", "{\"ts\":", "}\n"),
        ("a field nobody asked for", "{\"ts\":1,\"u\":", "}\n"),
    ] {
        let input = format!("{before}{digits}{after}").repeat(times) + "{\"ts\":1}\n{\"ts\":100}\n";
        let Cost { seconds, .. } =
            cost("-w 10s -t ts -k k -a sum:v -a first:v --bad /dev/null -q", input.into_bytes(), "\"window_end\"");
        let each = seconds * 1000.0 / times as f64;
        println!("H6 {what} of 1 MB: {each:.2} ms");
        assert!(each < 5.0);
    }
}

#[test]
#[ignore = "timing"]
fn h7_many_fields_columns_and_quotes_take_linear_time() {
    // What it is, flags, and the input for a size; from one size to one four times as large the time may grow sixfold.
    type Case = (&'static str, &'static str, Box<dyn Fn(usize) -> String>);
    let cases: [Case; 7] = [
        (
            "1M fields in an object",
            "--max-line 64M -a sum:f9 -a max:v",
            Box::new(|n| {
                let fields: String = (0..n * 250_000).map(|field| format!(",\"f{field}\":{field}")).collect();
                format!("{{\"ts\":1{fields}}}\n{{\"ts\":100}}\n")
            }),
        ),
        (
            "1M fields of one name",
            "--max-line 64M -a sum:v",
            Box::new(|n| format!("{{\"ts\":1{}}}\n{{\"ts\":100}}\n", ",\"v\":1".repeat(n * 250_000))),
        ),
        (
            "names of 1 MB",
            "--max-line 64M -a sum:v",
            Box::new(|n| format!("{{\"ts\":1,\"{}\":1}}\n", "n".repeat(n * 250_000)).repeat(10) + "{\"ts\":100}\n"),
        ),
        (
            "100,000 columns, some rows ragged",
            "--max-line 64M -i csv -k c1 -a sum:c24999",
            Box::new(|n| {
                let names: String = (1..n * 25_000).map(|column| format!(",c{column}")).collect();
                let row = ",1".repeat(n * 25_000 - 1);
                format!("ts{names}\n{}100{row}\n", format!("1{row}\n1{row},1\n1{row}\n").repeat(20))
            }),
        ),
        (
            "quotes that swallow the next lines",
            "-i csv",
            Box::new(|n| format!("ts,a,b\n{}\"\n1,2,3\n100,2,3\n", "x\",\"\n".repeat(n * 500_000))),
        ),
        (
            "the same with lines between",
            "-i csv",
            Box::new(|n| format!("ts,a,b\n{}\"\n1,2,3\n100,2,3\n", "x\",\"\n\",z\"z,\"\n".repeat(n * 250_000))),
        ),
        (
            "no line that could be a header",
            "-i csv",
            Box::new(|n| format!("{}ts,a\n1,2\n100,2\n", "\"ts\"x,a,b\n".repeat(n * 250_000))),
        ),
    ];
    for (what, flags, input) in cases {
        let measure = |size: usize| {
            cost(&format!("-w 10s -t ts --bad /dev/null -q {flags}"), input(size).into_bytes(), "window_end").seconds
        };
        let (one, four) = (measure(1), measure(4));
        println!("H7 {what}: {one:.2} s, four times as many {four:.2} s");
        assert!(four < 6.0 * one.max(0.05), "{what}");
    }
}

#[test]
#[ignore = "100 million keys a case"]
fn h9_a_hundred_million_keys_take_the_room_of_a_million() {
    const MILLION: usize = 1_000_000;
    let records = |from: usize| (from..from + MILLION).map(|key| format!("1,user{key}\n")).collect::<String>();
    // Peak memory when all is sent but what a pipe holds, and how it ended.
    let measure = |mode: &str, millions: usize| {
        let limit = format!("--key-limit {MILLION} --on-key-limit {mode} --output /dev/null");
        let mut program = Program::start(&format!("-i csv --columns ts,k -t ts -k k -w 10s {limit}"));
        for million in 0..millions {
            program.send(records(million * MILLION));
        }
        let (memory, seconds) = (program.peak_memory(), program.cpu_seconds());
        (memory, seconds, program.end())
    };
    for mode in ["other", "drop"] {
        // With the second million, all of the first has been taken.
        let (few, _, (status, ..)) = measure(mode, 2);
        assert_eq!(status, Some(0));
        let (many, seconds, (status, ..)) = measure(mode, 100);
        println!("H9 --on-key-limit {mode}: two million keys {few} MiB, 100 million {many} MiB, {seconds:.1} s");
        assert!(status == Some(0) && many as f64 <= 1.1 * few as f64 + 8.0);
    }
    let mut program = Program::start(&format!("-i csv --columns ts,k -t ts -k k -w 10s --key-limit {MILLION}"));
    let input = records(0) + "1,one too many\n";
    program.send(input);
    assert!(program.report().contains("stopped at line 1000001 of -"));
    assert_eq!(program.end().0, Some(1));
}

#[test]
#[ignore = "a million keys"]
fn h10_a_million_keys_that_collide() {
    let records = |keys: Vec<String>| {
        let records: String = keys.iter().map(|key| format!("{{\"ts\":1,\"k\":\"{key}\"}}\n")).collect();
        (records + "{\"ts\":100}\n").into_bytes()
    };
    for (what, flags, rows) in [
        ("keys", "-k k -a count", "\"window_start\":\"1970-01-01T00:00:00Z\""),
        ("values", "-a distinct:k -a mode:k", "\"distinct_k\":1"),
    ] {
        let measure = |keys| cost(&format!("-w 10s -t ts -q {flags}"), records(keys), rows).seconds;
        for (hash, keys) in [("FNV-1a", keys::fnv(20)), ("FxHash", keys::fx(16, 5))] {
            let mut random = 1u64;
            let mut letter = || {
                random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
                char::from(b'a' + (random >> 33) as u8 % 26)
            };
            let plain = keys.iter().map(|key| key.chars().map(|_| letter()).collect()).collect();
            let (count, plain, colliding) = (keys.len(), measure(plain), measure(keys));
            println!("H10 {count} {what} that collide in {hash}: {colliding:.2} s, others {plain:.2} s");
            assert!(count >= 1_000_000 && colliding <= 3.0 * plain);
        }
    }
}

#[test]
#[ignore = "timing"]
fn h11_window_bombs_cost_no_more_than_three_times_a_plain_window() {
    const EVENTS: usize = 1_000_000;
    let in_order = |step: &dyn Fn(usize) -> String| {
        (0..EVENTS).map(|n| format!("{{\"ts\":{},\"v\":1}}\n", step(n))).collect::<String>()
    };
    // Within a second; a second apart, forwards, backwards, in disorder; and the first one in 1970.
    let dense = in_order(&|n| format!("1800000000.{:06}", n)) + "{\"ts\":1800000002}\n";
    let apart = in_order(&|n| (1_800_000_000 + n).to_string());
    let backwards = in_order(&|n| (1_800_000_000 + EVENTS - n).to_string());
    let shuffled = in_order(&|n| (1_800_000_000 + n * 700_001 % EVENTS).to_string());
    let end = "{\"ts\":4000000000,\"v\":7}\n";
    for (what, flags, input, plain_flags, plain) in [
        ("3650d/1ms", "-w 3650d/1ms", dense.clone(), "-w 1ms", dense.clone()),
        ("sessions of 1 ns", "-w session:1ns", apart.clone() + end, "-w 1s", apart.clone() + end),
        (
            "sessions of 1 ns, all open",
            "-w session:1ns -d 1000d",
            apart.clone() + end,
            "-w 1s -d 1000d",
            apart.clone() + end,
        ),
        (
            "sessions of 1 ns, backwards",
            "-w session:1ns -d 1000d",
            backwards.clone() + end,
            "-w 1s -d 1000d",
            backwards + end,
        ),
        (
            "sessions of 1 ns, in disorder",
            "-w session:1ns -d 1000d",
            shuffled.clone() + end,
            "-w 1s -d 1000d",
            shuffled + end,
        ),
        ("1970 and now", "-w 1s", "{\"ts\":0}\n".to_owned() + &apart + end, "-w 1s", apart + end),
    ] {
        let run = |flags: &str, input: String| {
            let last = if input.ends_with(end) {
                "\"window_start\":\"2027-01-26"
            } else {
                "\"window_end\":\"2027-01-15T08:00:01Z\""
            };
            cost(&format!("{flags} -t ts -a count -a sum:v -q"), input.into_bytes(), last)
        };
        let (bomb, plain) = (run(flags, input), run(plain_flags, plain));
        println!(
            "H11 {what}: {:.2} s, {} MiB; plain {:.2} s, {} MiB",
            bomb.seconds, bomb.memory, plain.seconds, plain.memory
        );
        assert!(bomb.seconds <= 3.0 * plain.seconds.max(0.1), "{what}");
    }
}

#[test]
#[ignore = "10 GB a case"]
fn h14_ten_gigabytes_of_zeros_in_a_few_megabytes() {
    let zeros = vec![0; MIB];
    let last = b"\n{\"ts\":1}\n{\"ts\":11}\n";
    // Packed members of 1 GiB each; one of them nested ten times would be the same bytes.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    (0..GIB / MIB).for_each(|_| encoder.write_all(&zeros).expect("memory"));
    let gzip = encoder.finish().expect("memory");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(last).expect("memory");
    let gzip_end = encoder.finish().expect("memory");
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).expect("memory");
    (0..GIB / MIB).for_each(|_| encoder.write_all(&zeros).expect("memory"));
    let zstd = encoder.finish().expect("memory");
    let zstd_end = zstd::encode_all(&last[..], 3).expect("memory");
    for (what, member, end) in [("gzip", gzip, gzip_end), ("zstd", zstd, zstd_end)] {
        let mut program = Program::start("-w 10s -t ts -i ndjson");
        (0..10).for_each(|_| program.send(&member));
        program.send(end);
        // (What comes out of a packed stream is shown when there is more of it.)
        let report = loop {
            match program.reports.try_recv() {
                Ok(report) => break report,
                Err(_) if program.cpu_seconds() < 600.0 => thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        };
        assert!(report.contains("a line of 10737418240 bytes"), "{report}");
        let (memory, seconds) = (program.peak_memory(), program.cpu_seconds());
        println!("H14 10 GiB of zeros in {} bytes of {what}: {memory} MiB, {seconds:.1} s", member.len() * 10);
        assert!(memory <= normal_memory("-w 10s -t ts") + MOST_MEMORY_ABOVE);
        assert_eq!(program.end().0, Some(0));
    }
}
