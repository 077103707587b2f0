//! Rows for people: `-o table`, and TSV.

use crate::util::Streamw;

#[test]
fn a_table_is_aligned_and_harmless() {
    let input =
        "ts,host,v\n1,a,5\n2,\"long name\",1234.5\n3,\u{1b}[2J\u{9b}\u{202e},\n11,b,7\n15,much longer than before,1\n";
    let expected = "\
window_start  window_end  host                      sum_v  pane     revision
           0          10  \\u{1b}[2J\\u{9b}\\u{202e}          on_time         0
           0          10  a                             5  on_time         0
           0          10  long name                1234.5  on_time         0
          10          20  b                             7  on_time         0
          10          20  much longer than before       1  on_time         0
";
    for size in [1, 7, 4096] {
        let run = Streamw::new().args("-i csv -t ts -k host -w 10s -a sum:v -o table --output-time s -q");
        let output = run.stdin(input).read_size(size).run();
        assert_eq!(output.stdout, expected, "in pieces of {size}");
    }
}

#[test]
fn a_table_streams_with_the_widths_of_its_first_window() {
    let output = Streamw::new()
        .args("-t ts -k k -w 10s -o table --output-time s -q")
        .stdin("{\"ts\":1,\"k\":\"a\"}\n{\"ts\":11,\"k\":\"a name that is wider\"}\n{\"ts\":21}\n")
        .run();
    let lines: Vec<_> = output.stdout.lines().collect();
    assert_eq!(lines[0], "window_start  window_end  k  count  pane     revision");
    assert_eq!(lines[2], "          10          20  a name that is wider      1  on_time         0");
    assert_eq!(lines[3], "          20          30         1  on_time         0");
}

#[test]
fn tsv_quotes_what_has_tabs() {
    let output =
        Streamw::new().args("-t ts -k k -w 10s -o tsv --output-time s -q").stdin("{\"ts\":1,\"k\":\"a\\tb, c\"}").run();
    assert_eq!(
        output.stdout,
        "window_start\twindow_end\tk\tcount\tpane\trevision\n0\t10\t\"a\tb, c\"\t1\ton_time\t0\n"
    );
}
