
use builtin;
use str;

set edit:completion:arg-completer[streamw] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'streamw'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'streamw'= {
            cand -w 'Windows: 1m, sliding:10m/1m (or 10m/1m), session:30m, cumulate:1d/1h, count:100, global; repeatable'
            cand --window 'Windows: 1m, sliding:10m/1m (or 10m/1m), session:30m, cumulate:1d/1h, count:100, global; repeatable'
            cand --trigger 'When global windows print: every:N events of a key, or every:DUR as W passes multiples of it'
            cand --early 'Print rows before their window ends: every:N of its events, or every:DUR as W passes multiples of it'
            cand --updates 'What a further row of a key and window says'
            cand --fill 'Print a row for windows in which a key that had events before has none'
            cand --fill-limit 'How many windows in a row are filled for a key; then it is forgotten until it has events again'
            cand --offset 'Shift window starts; may be negative'
            cand -d 'How far records are out of order: W = largest event time - D'
            cand --watermark-delay 'How far records are out of order: W = largest event time - D'
            cand -l 'How long after its end a window still takes events, measured in W'
            cand --allowed-lateness 'How long after its end a window still takes events, measured in W'
            cand --late-rule 'Which events are too late'
            cand --emit 'Which rows of a window are printed'
            cand --max-jump 'A record this far ahead of the newest of its source is bad, unless it is the third such in a row'
            cand --max-future 'A record this far ahead of the wall clock is bad'
            cand --idle-timeout 'A source that is silent for so long is not waited for until it speaks again'
            cand --from 'Where reading of followed files begins'
            cand --history 'Read this file before the followed one of which it is a rotation, as a part of it; repeatable'
            cand --rotate-wait 'How long a renamed file that is still written to is read on before the new one is begun'
            cand --poll-interval 'How often followed files are looked at where nothing tells that they have changed'
            cand --punctuate 'A record with this field moves W to its value and is no event; no other record moves W'
            cand --partition 'Each value of this field is a source with a watermark of its own; W is their minimum'
            cand -t 'Event-time field [default: the first of timestamp @timestamp time ts event_time datetime date]'
            cand --time 'Event-time field [default: the first of timestamp @timestamp time ts event_time datetime date]'
            cand --time-format 'How the event time is written: auto, rfc3339, s, ms, us, ns or a strftime pattern'
            cand --timezone 'IANA time zone of times without an offset, of windows and of printed times'
            cand --year 'Year of the first record, for a --time-format without a year, such as %b %e %H:%M:%S'
            cand -k 'Grouping key, repeatable for a composite key'
            cand --key 'Grouping key, repeatable for a composite key'
            cand --key-limit 'Most keys with state, for each -w'
            cand --on-key-limit 'What becomes of an event whose key is one too many'
            cand --dedup 'Field whose value tells duplicates: an event with one that was seen before is none'
            cand --dedup-within 'The most event time between duplicates [default: any, until the first one''s windows are gone]'
            cand -a 'Aggregate, repeatable [default: count]'
            cand --agg 'Aggregate, repeatable [default: count]'
            cand -i 'Input format: auto, ndjson, csv, tsv, combined, logfmt, regex:RE'
            cand --input-format 'Input format: auto, ndjson, csv, tsv, combined, logfmt, regex:RE'
            cand --delimiter 'What stands between cells of csv or tsv: one character, or \t'
            cand --columns 'csv and tsv have no header; columns are called so'
            cand --null 'A text that means null, repeatable'
            cand --max-line 'Longest line in bytes (K, M, G allowed); a longer one is one bad record'
            cand --replay 'Feed a recorded input at the pace of its event time: 1x, 10x, 0.5x'
            cand --replay-max-gap 'A longer gap between two records is replayed as if it were this long'
            cand --threads 'Decoder threads [default: all cores]'
            cand -o 'Format of rows [default: table on a terminal, else ndjson]'
            cand --output-format 'Format of rows [default: table on a terminal, else ndjson]'
            cand --output 'Write rows to a file instead of stdout'
            cand --output-time 'How times are written: RFC 3339 in --timezone, or numbers'
            cand --late 'Write late drops to a file instead of stderr'
            cand --bad 'Write bad records to a file instead of stderr'
            cand --color 'Colour for people: in a table, and where lines on stderr begin'
            cand --max-bad 'Stop after more than N bad records, or fail at the end for more than P% (exit 3)'
            cand --max-late 'The same for late drops'
            cand --where 'Take only records of which this is so: ''status >= 500 && !path.startsWith("/health")'''
            cand --let 'A field that is computed of others, for -k, -a, -t, --where and the --let after it; repeatable'
            cand --having 'Print only rows of which this is so: ''count > 100 && path != "/health"'''
            cand --fail-if 'Fail if this is so of any row printed, or of the summary (exit 3); repeatable'
            cand --warn-if 'The same without failing'
            cand --for 'A check of rows counts when it is so in N consecutive windows of a key'
            cand --expect 'Compare the table that rows make in the end with a file: .csv, .tsv, else NDJSON (exit 3)'
            cand --tolerance 'How far numbers may be from those of --expect: 0.001, or a share: 0.1%'
            cand --expect-keys 'Fail if a window that has rows has none for a key of this file, one a line (exit 3)'
            cand --expect-windows 'Fail if a window between these times has no row, or none for a key of --expect-keys (exit 3)'
            cand --report 'Write what the checks found as a file that CI systems show: JUnit''s XML'
            cand --check-order 'Read the files again in N other orders within -d, and fail if other rows come of one (exit 3)'
            cand --order-seed 'The same seed makes the same orders'
            cand --state 'Keep checkpoints in a directory, and go on from the newest one'
            cand --checkpoint-interval 'Time between checkpoints'
            cand --stdin-resume 'What a pipe on stdin brings when a run goes on'
            cand --config 'Take flags also from a TOML file, by their long names'
            cand --merge 'Take records of all files side by side, always of the one whose watermark is the smallest'
            cand --idle-flush 'Print all open windows when all sources are idle'
            cand -F 'Keep reading as files grow, also when they are renamed, truncated, replaced or not there yet'
            cand --follow 'Keep reading as files grow, also when they are renamed, truncated, replaced or not there yet'
            cand --no-header 'csv and tsv have no header; columns are called 1, 2, 3, ...'
            cand --csv-safe 'Put '' before texts in csv and tsv that a spreadsheet would take for a formula'
            cand --stats 'Print a summary as a JSON line on stderr at the end'
            cand -q 'No lines for people on stderr, but the reason for a failure'
            cand --quiet 'No lines for people on stderr, but the reason for a failure'
            cand -v 'Say on stderr what was found and chosen, and at the end in words what came of it'
            cand --verbose 'Say on stderr what was found and chosen, and at the end in words what came of it'
            cand --strict 'Stop at the first bad record (exit 1)'
            cand --where-first 'Records that do not pass --where do not move the watermark either'
            cand --update-expect 'Write the file of --expect instead'
            cand --flush 'At the end of input, print what is open and forget that it was'
            cand --hold 'Print rows only when the checkpoint that has them is written'
            cand --print-config 'Print all flags as they would hold, and where each came from, as a file for --config'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand chaos 'Make clean records nasty, the same way for the same seed: late, twice, from the future, missing, broken'
            cand completions 'Print the completion script for a shell'
            cand man 'Print the manual page'
            cand state 'Look into a state directory, or remove what is in it'
        }
        &'streamw;chaos'= {
            cand --late 'So many records come late: after one that is --late-by newer'
            cand --late-by 'How late they come, in event time'
            cand --dup 'So many come twice'
            cand --future 'So many have a time from the future, by --future-by'
            cand --future-by 'How far their times are moved'
            cand --drop 'So many do not come at all'
            cand --garbage 'So many come broken, so that they cannot be read'
            cand --seed 'The same seed does the same to the same input'
            cand -t 'Event-time field [default: the first of timestamp @timestamp time ts event_time datetime date]'
            cand --time 'Event-time field [default: the first of timestamp @timestamp time ts event_time datetime date]'
            cand --time-format 'How the event time is written, as in a run'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'streamw;completions'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'streamw;man'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'streamw;state'= {
            cand -h 'Print help'
            cand --help 'Print help'
            cand show 'Say what is in a state: flags, inputs and how far they are, windows, sizes'
            cand dump 'Print the open windows of a state as NDJSON, as they would come now'
            cand verify 'Check every byte of the two newest checkpoints (exit 1 if the newest is damaged)'
            cand reset 'Remove a state, so that the next run begins anew'
        }
        &'streamw;state;show'= {
            cand --json 'As one JSON object'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'streamw;state;dump'= {
            cand --key 'Only those whose (first) key is a text that begins so'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'streamw;state;verify'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'streamw;state;reset'= {
            cand -h 'Print help'
            cand --help 'Print help'
        }
    ]
    $completions[$command]
}
