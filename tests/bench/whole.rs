//! Whole programs on the same files in turn, start to exit, each round all of them, medians:
//!
//!     cargo bench --bench whole                 streamw and its peers, as far as they are installed
//!     cargo bench --bench whole -- csv slide    some of it: ndjson, csv, keys; tumble, slide, session
//!     cargo bench --bench whole -- scale        how streamw's time and memory grow
//!     cargo bench --bench whole -- scale keys   some of it: events, keys, overlap, disorder, aggregates, columns, new-keys
//!
//! `BENCH_EVENTS` tells how many events (1,000,000 by default, as in `scale`'s middle), `BENCH_RUNS` how many rounds. Peers: DuckDB, as
//! the command `duckdb` or the module of the Python that `PYTHON` names; Miller (`mlr`). All have to count the same events.

mod events;

use events::{Events, USUAL};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a run took.
#[derive(Clone, Copy, Default)]
struct Took {
    wall: Duration,
    /// The most memory, in bytes, of the process itself.
    memory: u64,
}

fn main() -> io::Result<()> {
    // As `cargo bench` says, and `cargo test` does not.
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let setting = |name: &str, usual: u64| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(usual);
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let bench = Bench {
        directory: std::env::temp_dir().join(format!("streamw-bench-{}", std::process::id())),
        events: if is_test { 1000 } else { setting("BENCH_EVENTS", USUAL.count) },
        runs: if is_test { 1 } else { setting("BENCH_RUNS", 5) as usize },
        words,
    };
    fs::create_dir_all(&bench.directory)?;
    let is_scale = bench.words.iter().any(|word| word == "scale");
    let done = if is_scale { bench.scale() } else { bench.peers() };
    fs::remove_dir_all(&bench.directory)?;
    done
}

struct Bench {
    directory: PathBuf,
    events: u64,
    runs: usize,
    /// Which parts are wanted; all if none is named.
    words: Vec<String>,
}

/// Parts of the comparison: files, and jobs.
const FILES: [&str; 3] = ["ndjson", "csv", "keys"];
const KINDS: [&str; 3] = ["tumble", "slide", "session"];
/// Parts of `scale`.
const SCALES: [&str; 7] = ["events", "keys", "overlap", "disorder", "aggregates", "columns", "new-keys"];

/// Where rows go.
const ROWS: &str = "rows.csv";

/// What is computed: its name, streamw's window, and what DuckDB says for it.
const JOBS: [(&str, &str, &str); 3] = [
    ("1 minute", "1m", "SELECT \"user\", time_bucket(INTERVAL '1 minute', ts) w, AGGREGATES FROM EVENTS GROUP BY ALL"),
    (
        "5 minutes every minute",
        "5m/1m",
        "SELECT \"user\", time_bucket(INTERVAL '1 minute', ts) - INTERVAL 1 minute * k w, AGGREGATES \
         FROM EVENTS, range(5) r(k) GROUP BY ALL",
    ),
    (
        "sessions, gap 30 minutes",
        "session:30m",
        "WITH a AS (SELECT *, CASE WHEN ts - lag(ts) OVER p <= INTERVAL 30 minute THEN 0 ELSE 1 END b FROM EVENTS \
         WINDOW p AS (PARTITION BY \"user\" ORDER BY ts)), \
         g AS (SELECT *, sum(b) OVER (PARTITION BY \"user\" ORDER BY ts ROWS UNBOUNDED PRECEDING) g FROM a) \
         SELECT \"user\", min(ts) w, AGGREGATES FROM g GROUP BY \"user\", g",
    ),
];

const AGGREGATES: &str = "count(*) n, sum(latency_ms) s, min(latency_ms) mn, max(latency_ms) mx, avg(latency_ms) av";

impl Bench {
    /// Compares.
    fn peers(&self) -> io::Result<()> {
        let usual = Events { count: self.events, ..USUAL };
        for ((keys, csv), file) in
            [(usual.keys, false), (usual.keys, true), (100 * usual.keys, false)].iter().zip(FILES)
        {
            let (keys, csv) = (*keys, *csv);
            for ((name, window, sql), kind) in JOBS.iter().zip(KINDS) {
                if !self.wants(file, &FILES) || !self.wants(kind, &KINDS) {
                    continue;
                }
                // Sessions need gaps.
                let rate = if window.starts_with("session") { 100 } else { usual.rate };
                let input = self.input(&Events { keys, csv, rate, ..usual })?;
                let format = if csv { "CSV" } else { "NDJSON" };
                println!("\n{format}, {} events of {keys} keys: {name}", usual.count);
                self.compare(&[
                    ("streamw", streamw(&input, window, AGGREGATE_FLAGS, &["-d", "6s"])),
                    ("streamw --threads 1", streamw(&input, window, AGGREGATE_FLAGS, &["-d", "6s", "--threads", "1"])),
                    ("DuckDB", duckdb(&input, csv, sql, &self.directory.join(ROWS))),
                    ("Miller", miller(&input, csv, window)),
                ])?;
            }
        }
        Ok(())
    }

    /// Whether a part is asked for, or none of its kind is.
    fn wants(&self, part: &str, kind: &[&str]) -> bool {
        let is = |word: &String| word == part;
        self.words.iter().any(is) || !self.words.iter().any(|word| kind.contains(&word.as_str()))
    }

    /// Runs all of them in turn; those that are not installed are told.
    fn compare(&self, programs: &[(&str, Option<Command>)]) -> io::Result<()> {
        let output = self.directory.join(ROWS);
        let mut counted: Option<u64> = None;
        let mut took = vec![Vec::new(); programs.len()];
        for round in 0..self.runs {
            for (index, (name, command)) in programs.iter().enumerate() {
                let Some(command) = command else { continue };
                took[index].push(run(command, &output)?);
                if round == 0 {
                    let events = total(&output)?;
                    assert_eq!(*counted.get_or_insert(events), events, "{name} counts other events");
                }
            }
        }
        let first = median(&mut took[0].clone());
        for ((name, _), took) in programs.iter().zip(&mut took) {
            if took.is_empty() {
                println!("  {name:<20} not here");
                continue;
            }
            let Took { wall, memory } = median(took);
            let share = first.wall.as_secs_f64() / wall.as_secs_f64();
            println!("  {name:<20} {:7.3} s  {:5} MB  streamw / it {share:.2}", wall.as_secs_f64(), memory >> 20);
        }
        Ok(())
    }

    /// How time and memory grow with one thing at a time.
    fn scale(&self) -> io::Result<()> {
        let usual = Events { count: self.events, ..USUAL };
        println!("| what | wall | ns/event | memory |\n| --- | --- | --- | --- |");
        let wants = |part| self.wants(part, &SCALES);
        // Few columns, so that the largest file fits.
        for count in [usual.count, 10 * usual.count, 100 * usual.count].into_iter().filter(|_| wants("events")) {
            self.row(
                &format!("{count} events of 3 columns"),
                Events { count, columns: 3, ..usual },
                "1m",
                AGGREGATE_FLAGS,
            )?;
        }
        for keys in [100, 10_000, 1_000_000, 10_000_000].into_iter().filter(|_| wants("keys")) {
            // As many of them as there are events, at the most.
            let count = usual.count.max(keys.min(10 * usual.count));
            self.row(
                &format!("{count} events of {keys} keys"),
                Events { count, keys, ..usual },
                "1m",
                AGGREGATE_FLAGS,
            )?;
        }
        for (overlap, window) in [(1, "1s"), (5, "5s/1s"), (60, "1m/1s"), (3600, "1h/1s")] {
            let events = Events { keys: 100, ..usual };
            if wants("overlap") {
                self.row(&format!("{overlap} windows an event, 100 keys"), events, window, AGGREGATE_FLAGS)?;
            }
        }
        for disorder in [0, 5, 60, 600].into_iter().filter(|_| wants("disorder")) {
            self.row(&format!("{disorder} s of disorder"), Events { disorder, ..usual }, "1m", AGGREGATE_FLAGS)?;
        }
        for most in [1, 5, 10, 20].into_iter().filter(|_| wants("aggregates")) {
            self.row(&format!("{most} aggregates"), usual, "1m", &MANY_FLAGS[..most])?;
        }
        for columns in [5, 7, 50, 200].into_iter().filter(|_| wants("columns")) {
            let count = usual.count.min(10_000_000 / columns as u64 * 7);
            let what = format!("{count} events of {columns} columns");
            self.row(&what, Events { count, columns, ..usual }, "1m", AGGREGATE_FLAGS)?;
        }
        if wants("new-keys") {
            self.new_keys()?;
        }
        Ok(())
    }

    /// Memory while keys come through a pipe of which each is new, 10,000 a second of event time, for windows of 10 s.
    fn new_keys(&self) -> io::Result<()> {
        let count = 100 * self.events;
        let mut command =
            streamw(Path::new("-"), "10s", AGGREGATE_FLAGS, &["-d", "1s"]).ok_or(io::ErrorKind::NotFound)?;
        let mut child = command.stdin(Stdio::piped()).stdout(File::create(self.directory.join(ROWS))?).spawn()?;
        let mut pipe = BufWriter::with_capacity(1 << 16, child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?);
        for index in 0..count {
            let (seconds, millis) = (1_767_225_600 + index / 10_000, index / 10 % 1000);
            writeln!(pipe, "{{\"ts\":{seconds}.{millis:03},\"user\":\"k{index}\",\"latency_ms\":{}}}", index % 977)?;
            if (index + 1) % (count / 10).max(1) == 0 {
                let resident = status(child.id(), "VmRSS:") >> 20;
                println!("| {} events, each of a new key, through a pipe | | | {resident} MB |", index + 1);
            }
        }
        drop(pipe);
        let ended = child.wait()?;
        assert!(ended.success(), "{ended}");
        Ok(())
    }

    fn row(&self, what: &str, events: Events, window: &str, aggregates: &[&str]) -> io::Result<()> {
        let input = self.input(&events)?;
        let delay = format!("{}s", events.disorder + 1);
        let command = streamw(&input, window, aggregates, &["-d", &delay]).ok_or(io::ErrorKind::NotFound)?;
        let output = self.directory.join(ROWS);
        let mut took = (0..self.runs).map(|_| run(&command, &output)).collect::<io::Result<Vec<_>>>()?;
        let Took { wall, memory } = median(&mut took);
        let each = wall.as_nanos() / u128::from(events.count);
        println!("| {what} | {:.3} s | {each} | {} MB |", wall.as_secs_f64(), memory >> 20);
        Ok(())
    }

    /// A file with these events, which has been read; the one before is gone.
    fn input(&self, events: &Events) -> io::Result<PathBuf> {
        let path = self.directory.join(if events.csv { "events.csv" } else { "events.ndjson" });
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        events.write(&mut file)?;
        file.into_inner()?.sync_all()?;
        io::copy(&mut File::open(&path)?, &mut io::sink())?;
        Ok(path)
    }
}

const AGGREGATE_FLAGS: &[&str] =
    &["n=count", "s=sum:latency_ms", "mn=min:latency_ms", "mx=max:latency_ms", "av=avg:latency_ms"];

const MANY_FLAGS: [&str; 20] = [
    "n=count",
    "sum:latency_ms",
    "min:latency_ms",
    "max:latency_ms",
    "avg:latency_ms",
    "stddev:latency_ms",
    "p50:latency_ms",
    "p99:latency_ms",
    "first:latency_ms",
    "last:latency_ms",
    "sum:bytes",
    "min:bytes",
    "max:bytes",
    "avg:bytes",
    "stddev:bytes",
    "p50:bytes",
    "p99:bytes",
    "first:bytes",
    "last:bytes",
    "distinct:status",
];

fn streamw(input: &Path, window: &str, aggregates: &[&str], more: &[&str]) -> Option<Command> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamw"));
    command.arg(input).args(["-t", "ts", "-k", "user", "-w", window, "-o", "csv", "-q", "--output-time", "ms"]);
    command.args(aggregates.iter().flat_map(|call| ["-a", call])).args(more);
    Some(command)
}

fn duckdb(input: &Path, csv: bool, sql: &str, output: &Path) -> Option<Command> {
    let path = input.display();
    let typed = "ts:'TIMESTAMP', user:'VARCHAR', latency_ms:'DOUBLE'";
    let events = match csv {
        true => format!(
            "read_csv('{path}', header=true, auto_detect=false, delim=',', quote='\"', escape='\"', \
             columns={{{typed}, bytes:'BIGINT', status:'INTEGER', url:'VARCHAR', msg:'VARCHAR'}})"
        ),
        false => format!("read_json('{path}', format='newline_delimited', columns={{{typed}}})"),
    };
    let sql = sql.replace("AGGREGATES", AGGREGATES).replace("EVENTS", &events);
    let sql =
        format!("SET preserve_insertion_order=false; COPY ({sql}) TO '{}' (FORMAT csv, HEADER)", output.display());
    if is_there(Command::new("duckdb").arg("-version")) {
        let mut command = Command::new("duckdb");
        command.args(["-c", &sql]);
        return Some(command);
    }
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let has_module = is_there(Command::new(&python).args(["-c", "import duckdb"]));
    has_module.then(|| {
        let mut command = Command::new(python);
        command.args(["-c", "import duckdb, sys; duckdb.execute(sys.argv[1])", &sql]);
        command
    })
}

fn miller(input: &Path, csv: bool, window: &str) -> Option<Command> {
    if window != "1m" || !is_there(Command::new("mlr").arg("--version")) {
        return None;
    }
    let mut command = Command::new("mlr");
    command.args([if csv { "--icsv" } else { "--ijsonl" }, "--ocsv", "put", "$w=$ts[1:16]", "then", "stats1"]);
    command.args(["-a", "count,sum,min,max,mean", "-f", "latency_ms", "-g", "user,w", "then"]);
    command.args(["rename", "latency_ms_count,n"]).arg(input);
    Some(command)
}

fn is_there(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs a program with its rows into a file.
fn run(command: &Command, output: &Path) -> io::Result<Took> {
    let mut again = Command::new(command.get_program());
    again.args(command.get_args()).stdin(Stdio::null()).stdout(File::create(output)?);
    let begun = Instant::now();
    let mut child = again.spawn()?;
    let mut took = Took::default();
    loop {
        took.memory = took.memory.max(memory(child.id()));
        if let Some(status) = child.try_wait()? {
            assert!(status.success(), "{command:?}: {status}");
            took.wall = begun.elapsed();
            return Ok(took);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The most memory that a process has had; 0 if the system does not tell.
fn memory(process: u32) -> u64 {
    status(process, "VmHWM:")
}

/// What the system tells of a process, in bytes.
fn status(process: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) << 10
}

/// The sum of the column `n`.
fn total(rows: &Path) -> io::Result<u64> {
    let mut text = String::new();
    File::open(rows)?.read_to_string(&mut text)?;
    let mut lines = text.lines();
    let column = lines.next().and_then(|header| header.split(',').position(|name| name == "n"));
    let column = column.ok_or_else(|| io::Error::other("no column n"))?;
    let count = |line: &str| line.split(',').nth(column).and_then(|cell| cell.parse::<u64>().ok());
    lines.map(|line| count(line).ok_or_else(|| io::Error::other(format!("no count in {line}")))).sum()
}

fn median(took: &mut [Took]) -> Took {
    took.sort_by_key(|took| took.wall);
    let memory = took.iter().map(|took| took.memory).max().unwrap_or(0);
    Took { memory, ..took[took.len() / 2] }
}
