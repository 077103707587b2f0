
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
            [CompletionResult]::new('--having', '--having', [CompletionResultType]::ParameterName, 'Print only rows of which this is so: ''count > 100 && path != "/health"''')
            [CompletionResult]::new('--fail-if', '--fail-if', [CompletionResultType]::ParameterName, 'Fail if this is so of any row printed, or of the summary (exit 3); repeatable')
            [CompletionResult]::new('--warn-if', '--warn-if', [CompletionResultType]::ParameterName, 'The same without failing')
            [CompletionResult]::new('--for', '--for', [CompletionResultType]::ParameterName, 'A check of rows counts when it is so in N consecutive windows of a key')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Take flags also from a TOML file, by their long names')
            [CompletionResult]::new('--merge', '--merge', [CompletionResultType]::ParameterName, 'Take records of all files side by side, always of the one whose watermark is the smallest')
            [CompletionResult]::new('--idle-flush', '--idle-flush', [CompletionResultType]::ParameterName, 'Print all open windows when all sources are idle')
            [CompletionResult]::new('--no-header', '--no-header', [CompletionResultType]::ParameterName, 'csv and tsv have no header; columns are called 1, 2, 3, ...')
            [CompletionResult]::new('--csv-safe', '--csv-safe', [CompletionResultType]::ParameterName, 'Put '' before texts in csv and tsv that a spreadsheet would take for a formula')
            [CompletionResult]::new('--stats', '--stats', [CompletionResultType]::ParameterName, 'Print a summary as a JSON line on stderr at the end')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'No lines for people on stderr, but the reason for a failure')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'No lines for people on stderr, but the reason for a failure')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say on stderr what was found and chosen, and at the end in words what came of it')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say on stderr what was found and chosen, and at the end in words what came of it')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Stop at the first bad record (exit 1)')
            [CompletionResult]::new('--where-first', '--where-first', [CompletionResultType]::ParameterName, 'Records that do not pass --where do not move the watermark either')
            [CompletionResult]::new('--print-config', '--print-config', [CompletionResultType]::ParameterName, 'Print all flags as they would hold, and where each came from, as a file for --config')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page')
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
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
