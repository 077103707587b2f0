
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'streamw' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'streamw'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'streamw' {
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Windows: 1m, sliding:10m/1m (or 10m/1m), session:30m, cumulate:1d/1h, count:100, global; repeatable')
            [CompletionResult]::new('--window', '--window', [CompletionResultType]::ParameterName, 'Windows: 1m, sliding:10m/1m (or 10m/1m), session:30m, cumulate:1d/1h, count:100, global; repeatable')
            [CompletionResult]::new('--trigger', '--trigger', [CompletionResultType]::ParameterName, 'When global windows print: every:N events of a key, or every:DUR as W passes multiples of it')
            [CompletionResult]::new('--early', '--early', [CompletionResultType]::ParameterName, 'Print rows before their window ends: every:N of its events, or every:DUR as W passes multiples of it')
            [CompletionResult]::new('--updates', '--updates', [CompletionResultType]::ParameterName, 'What a further row of a key and window says')
            [CompletionResult]::new('--fill', '--fill', [CompletionResultType]::ParameterName, 'Print a row for windows in which a key that had events before has none')
            [CompletionResult]::new('--fill-limit', '--fill-limit', [CompletionResultType]::ParameterName, 'How many windows in a row are filled for a key; then it is forgotten until it has events again')
            [CompletionResult]::new('--offset', '--offset', [CompletionResultType]::ParameterName, 'Shift window starts; may be negative')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'How far records are out of order: W = largest event time - D')
            [CompletionResult]::new('--watermark-delay', '--watermark-delay', [CompletionResultType]::ParameterName, 'How far records are out of order: W = largest event time - D')
            [CompletionResult]::new('-l', '-l', [CompletionResultType]::ParameterName, 'How long after its end a window still takes events, measured in W')
            [CompletionResult]::new('--allowed-lateness', '--allowed-lateness', [CompletionResultType]::ParameterName, 'How long after its end a window still takes events, measured in W')
            [CompletionResult]::new('--late-rule', '--late-rule', [CompletionResultType]::ParameterName, 'Which events are too late')
            [CompletionResult]::new('--emit', '--emit', [CompletionResultType]::ParameterName, 'Which rows of a window are printed')
            [CompletionResult]::new('--max-jump', '--max-jump', [CompletionResultType]::ParameterName, 'A record this far ahead of the newest of its source is bad, unless it is the third such in a row')
            [CompletionResult]::new('--max-future', '--max-future', [CompletionResultType]::ParameterName, 'A record this far ahead of the wall clock is bad')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'A source that is silent for so long is not waited for until it speaks again')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Where reading of followed files begins')
            [CompletionResult]::new('--history', '--history', [CompletionResultType]::ParameterName, 'Read this file before the followed one of which it is a rotation, as a part of it; repeatable')
            [CompletionResult]::new('--rotate-wait', '--rotate-wait', [CompletionResultType]::ParameterName, 'How long a renamed file that is still written to is read on before the new one is begun')
            [CompletionResult]::new('--poll-interval', '--poll-interval', [CompletionResultType]::ParameterName, 'How often followed files are looked at where nothing tells that they have changed')
            [CompletionResult]::new('--punctuate', '--punctuate', [CompletionResultType]::ParameterName, 'A record with this field moves W to its value and is no event; no other record moves W')
            [CompletionResult]::new('--partition', '--partition', [CompletionResultType]::ParameterName, 'Each value of this field is a source with a watermark of its own; W is their minimum')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Event-time field [default: the first of timestamp @timestamp time ts event_time datetime date]')
            [CompletionResult]::new('--time', '--time', [CompletionResultType]::ParameterName, 'Event-time field [default: the first of timestamp @timestamp time ts event_time datetime date]')
            [CompletionResult]::new('--time-format', '--time-format', [CompletionResultType]::ParameterName, 'How the event time is written: auto, rfc3339, s, ms, us, ns or a strftime pattern')
            [CompletionResult]::new('--timezone', '--timezone', [CompletionResultType]::ParameterName, 'IANA time zone of times without an offset, of windows and of printed times')
            [CompletionResult]::new('--year', '--year', [CompletionResultType]::ParameterName, 'Year of the first record, for a --time-format without a year, such as %b %e %H:%M:%S')
            [CompletionResult]::new('-k', '-k', [CompletionResultType]::ParameterName, 'Grouping key, repeatable for a composite key')
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Grouping key, repeatable for a composite key')
            [CompletionResult]::new('--key-limit', '--key-limit', [CompletionResultType]::ParameterName, 'Most keys with state, for each -w')
            [CompletionResult]::new('--on-key-limit', '--on-key-limit', [CompletionResultType]::ParameterName, 'What becomes of an event whose key is one too many')
            [CompletionResult]::new('--dedup', '--dedup', [CompletionResultType]::ParameterName, 'Field whose value tells duplicates: an event with one that was seen before is none')
            [CompletionResult]::new('--dedup-within', '--dedup-within', [CompletionResultType]::ParameterName, 'The most event time between duplicates [default: any, until the first one''s windows are gone]')
            [CompletionResult]::new('-a', '-a', [CompletionResultType]::ParameterName, 'Aggregate, repeatable [default: count]')
            [CompletionResult]::new('--agg', '--agg', [CompletionResultType]::ParameterName, 'Aggregate, repeatable [default: count]')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Input format: auto, ndjson, csv, tsv, combined, logfmt, regex:RE')
            [CompletionResult]::new('--input-format', '--input-format', [CompletionResultType]::ParameterName, 'Input format: auto, ndjson, csv, tsv, combined, logfmt, regex:RE')
            [CompletionResult]::new('--delimiter', '--delimiter', [CompletionResultType]::ParameterName, 'What stands between cells of csv or tsv: one character, or \t')
            [CompletionResult]::new('--columns', '--columns', [CompletionResultType]::ParameterName, 'csv and tsv have no header; columns are called so')
            [CompletionResult]::new('--null', '--null', [CompletionResultType]::ParameterName, 'A text that means null, repeatable')
            [CompletionResult]::new('--max-line', '--max-line', [CompletionResultType]::ParameterName, 'Longest line in bytes (K, M, G allowed); a longer one is one bad record')
            [CompletionResult]::new('--replay', '--replay', [CompletionResultType]::ParameterName, 'Feed a recorded input at the pace of its event time: 1x, 10x, 0.5x')
            [CompletionResult]::new('--replay-max-gap', '--replay-max-gap', [CompletionResultType]::ParameterName, 'A longer gap between two records is replayed as if it were this long')
            [CompletionResult]::new('--threads', '--threads', [CompletionResultType]::ParameterName, 'Decoder threads [default: all cores]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Format of rows [default: table on a terminal, else ndjson]')
            [CompletionResult]::new('--output-format', '--output-format', [CompletionResultType]::ParameterName, 'Format of rows [default: table on a terminal, else ndjson]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write rows to a file instead of stdout')
            [CompletionResult]::new('--output-time', '--output-time', [CompletionResultType]::ParameterName, 'How times are written: RFC 3339 in --timezone, or numbers')
            [CompletionResult]::new('--late', '--late', [CompletionResultType]::ParameterName, 'Write late drops to a file instead of stderr')
            [CompletionResult]::new('--bad', '--bad', [CompletionResultType]::ParameterName, 'Write bad records to a file instead of stderr')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour for people: in a table, and where lines on stderr begin')
            [CompletionResult]::new('--max-bad', '--max-bad', [CompletionResultType]::ParameterName, 'Stop after more than N bad records, or fail at the end for more than P% (exit 3)')
            [CompletionResult]::new('--max-late', '--max-late', [CompletionResultType]::ParameterName, 'The same for late drops')
            [CompletionResult]::new('--where', '--where', [CompletionResultType]::ParameterName, 'Take only records of which this is so: ''status >= 500 && !path.startsWith("/health")''')
            [CompletionResult]::new('--let', '--let', [CompletionResultType]::ParameterName, 'A field that is computed of others, for -k, -a, -t, --where and the --let after it; repeatable')
            [CompletionResult]::new('--having', '--having', [CompletionResultType]::ParameterName, 'Print only rows of which this is so: ''count > 100 && path != "/health"''')
            [CompletionResult]::new('--fail-if', '--fail-if', [CompletionResultType]::ParameterName, 'Fail if this is so of any row printed, or of the summary (exit 3); repeatable')
            [CompletionResult]::new('--warn-if', '--warn-if', [CompletionResultType]::ParameterName, 'The same without failing')
            [CompletionResult]::new('--for', '--for', [CompletionResultType]::ParameterName, 'A check of rows counts when it is so in N consecutive windows of a key')
            [CompletionResult]::new('--expect', '--expect', [CompletionResultType]::ParameterName, 'Compare the table that rows make in the end with a file: .csv, .tsv, else NDJSON (exit 3)')
            [CompletionResult]::new('--tolerance', '--tolerance', [CompletionResultType]::ParameterName, 'How far numbers may be from those of --expect: 0.001, or a share: 0.1%')
            [CompletionResult]::new('--expect-keys', '--expect-keys', [CompletionResultType]::ParameterName, 'Fail if a window that has rows has none for a key of this file, one a line (exit 3)')
            [CompletionResult]::new('--expect-windows', '--expect-windows', [CompletionResultType]::ParameterName, 'Fail if a window between these times has no row, or none for a key of --expect-keys (exit 3)')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'Write what the checks found as a file that CI systems show: JUnit''s XML')
            [CompletionResult]::new('--check-order', '--check-order', [CompletionResultType]::ParameterName, 'Read the files again in N other orders within -d, and fail if other rows come of one (exit 3)')
            [CompletionResult]::new('--order-seed', '--order-seed', [CompletionResultType]::ParameterName, 'The same seed makes the same orders')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'Keep checkpoints in a directory, and go on from the newest one')
            [CompletionResult]::new('--checkpoint-interval', '--checkpoint-interval', [CompletionResultType]::ParameterName, 'Time between checkpoints')
            [CompletionResult]::new('--stdin-resume', '--stdin-resume', [CompletionResultType]::ParameterName, 'What a pipe on stdin brings when a run goes on')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Take flags also from a TOML file, by their long names')
            [CompletionResult]::new('--merge', '--merge', [CompletionResultType]::ParameterName, 'Take records of all files side by side, always of the one whose watermark is the smallest')
            [CompletionResult]::new('--idle-flush', '--idle-flush', [CompletionResultType]::ParameterName, 'Print all open windows when all sources are idle')
            [CompletionResult]::new('-F', '-F ', [CompletionResultType]::ParameterName, 'Keep reading as files grow, also when they are renamed, truncated, replaced or not there yet')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Keep reading as files grow, also when they are renamed, truncated, replaced or not there yet')
            [CompletionResult]::new('--no-header', '--no-header', [CompletionResultType]::ParameterName, 'csv and tsv have no header; columns are called 1, 2, 3, ...')
            [CompletionResult]::new('--csv-safe', '--csv-safe', [CompletionResultType]::ParameterName, 'Put '' before texts in csv and tsv that a spreadsheet would take for a formula')
            [CompletionResult]::new('--stats', '--stats', [CompletionResultType]::ParameterName, 'Print a summary as a JSON line on stderr at the end')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No lines for people on stderr, but the reason for a failure')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No lines for people on stderr, but the reason for a failure')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on stderr what was found and chosen, and at the end in words what came of it')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on stderr what was found and chosen, and at the end in words what came of it')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Stop at the first bad record (exit 1)')
            [CompletionResult]::new('--where-first', '--where-first', [CompletionResultType]::ParameterName, 'Records that do not pass --where do not move the watermark either')
            [CompletionResult]::new('--update-expect', '--update-expect', [CompletionResultType]::ParameterName, 'Write the file of --expect instead')
            [CompletionResult]::new('--flush', '--flush', [CompletionResultType]::ParameterName, 'At the end of input, print what is open and forget that it was')
            [CompletionResult]::new('--hold', '--hold', [CompletionResultType]::ParameterName, 'Print rows only when the checkpoint that has them is written')
            [CompletionResult]::new('--print-config', '--print-config', [CompletionResultType]::ParameterName, 'Print all flags as they would hold, and where each came from, as a file for --config')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('chaos', 'chaos', [CompletionResultType]::ParameterValue, 'Make clean records nasty, the same way for the same seed: late, twice, from the future, missing, broken')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page')
            [CompletionResult]::new('state', 'state', [CompletionResultType]::ParameterValue, 'Look into a state directory, or remove what is in it')
            break
        }
        'streamw;chaos' {
            [CompletionResult]::new('--late', '--late', [CompletionResultType]::ParameterName, 'So many records come late: after one that is --late-by newer')
            [CompletionResult]::new('--late-by', '--late-by', [CompletionResultType]::ParameterName, 'How late they come, in event time')
            [CompletionResult]::new('--dup', '--dup', [CompletionResultType]::ParameterName, 'So many come twice')
            [CompletionResult]::new('--future', '--future', [CompletionResultType]::ParameterName, 'So many have a time from the future, by --future-by')
            [CompletionResult]::new('--future-by', '--future-by', [CompletionResultType]::ParameterName, 'How far their times are moved')
            [CompletionResult]::new('--drop', '--drop', [CompletionResultType]::ParameterName, 'So many do not come at all')
            [CompletionResult]::new('--garbage', '--garbage', [CompletionResultType]::ParameterName, 'So many come broken, so that they cannot be read')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'The same seed does the same to the same input')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Event-time field [default: the first of timestamp @timestamp time ts event_time datetime date]')
            [CompletionResult]::new('--time', '--time', [CompletionResultType]::ParameterName, 'Event-time field [default: the first of timestamp @timestamp time ts event_time datetime date]')
            [CompletionResult]::new('--time-format', '--time-format', [CompletionResultType]::ParameterName, 'How the event time is written, as in a run')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'streamw;completions' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'streamw;man' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'streamw;state' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Say what is in a state: flags, inputs and how far they are, windows, sizes')
            [CompletionResult]::new('dump', 'dump', [CompletionResultType]::ParameterValue, 'Print the open windows of a state as NDJSON, as they would come now')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check every byte of the two newest checkpoints (exit 1 if the newest is damaged)')
            [CompletionResult]::new('reset', 'reset', [CompletionResultType]::ParameterValue, 'Remove a state, so that the next run begins anew')
            break
        }
        'streamw;state;show' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'As one JSON object')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'streamw;state;dump' {
            [CompletionResult]::new('--key', '--key', [CompletionResultType]::ParameterName, 'Only those whose (first) key is a text that begins so')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'streamw;state;verify' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'streamw;state;reset' {
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
