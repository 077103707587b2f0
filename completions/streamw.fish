# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_streamw_global_optspecs
    string join \n w/window= trigger= early= updates= fill= fill-limit= offset= d/watermark-delay= l/allowed-lateness= late-rule= emit= max-jump= max-future= merge idle-timeout= idle-flush F/follow from= history= rotate-wait= poll-interval= punctuate= partition= t/time= time-format= timezone= year= k/key= key-limit= on-key-limit= dedup= dedup-within= a/agg= i/input-format= delimiter= no-header columns= null= max-line= replay= replay-max-gap= threads= o/output-format= csv-safe output= output-time= late= bad= stats q/quiet v/verbose color= strict max-bad= max-late= where= let= where-first having= fail-if= warn-if= for= expect= tolerance= update-expect expect-keys= expect-windows= report= check-order= order-seed= state= checkpoint-interval= flush hold stdin-resume= config= print-config h/help V/version
end

function __fish_streamw_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_streamw_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_streamw_using_subcommand
    set -l cmd (__fish_streamw_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c streamw -n "__fish_streamw_needs_command" -s w -l window -d 'Windows: 1m, sliding:10m/1m (or 10m/1m), session:30m, cumulate:1d/1h, count:100, global; repeatable' -r
complete -c streamw -n "__fish_streamw_needs_command" -l trigger -d 'When global windows print: every:N events of a key, or every:DUR as W passes multiples of it' -r
complete -c streamw -n "__fish_streamw_needs_command" -l early -d 'Print rows before their window ends: every:N of its events, or every:DUR as W passes multiples of it' -r
complete -c streamw -n "__fish_streamw_needs_command" -l updates -d 'What a further row of a key and window says' -r -f -a "accumulating\t'the whole aggregate'
discarding\t'what came since the row before'
retracting\t'the whole aggregate, after a retract pane with what the row before said'"
complete -c streamw -n "__fish_streamw_needs_command" -l fill -d 'Print a row for windows in which a key that had events before has none' -r -f -a "null\t'what the aggregates say of no events: a count of 0, else null'
zero\t'0 where the result is a number, else null'
previous\t'what the key\'s last window with events said'"
complete -c streamw -n "__fish_streamw_needs_command" -l fill-limit -d 'How many windows in a row are filled for a key; then it is forgotten until it has events again' -r
complete -c streamw -n "__fish_streamw_needs_command" -l offset -d 'Shift window starts; may be negative' -r
complete -c streamw -n "__fish_streamw_needs_command" -s d -l watermark-delay -d 'How far records are out of order: W = largest event time - D' -r
complete -c streamw -n "__fish_streamw_needs_command" -s l -l allowed-lateness -d 'How long after its end a window still takes events, measured in W' -r
complete -c streamw -n "__fish_streamw_needs_command" -l late-rule -d 'Which events are too late' -r -f -a "window\t'those all of whose windows are gone (Flink\'s rule)'
event\t'those older than W minus the allowed lateness, whatever their windows'"
complete -c streamw -n "__fish_streamw_needs_command" -l emit -d 'Which rows of a window are printed' -r -f -a "all\t'one when the watermark reaches its end, and one for each late event'
final\t'one, when no event can change it any more'"
complete -c streamw -n "__fish_streamw_needs_command" -l max-jump -d 'A record this far ahead of the newest of its source is bad, unless it is the third such in a row' -r
complete -c streamw -n "__fish_streamw_needs_command" -l max-future -d 'A record this far ahead of the wall clock is bad' -r
complete -c streamw -n "__fish_streamw_needs_command" -l idle-timeout -d 'A source that is silent for so long is not waited for until it speaks again' -r
complete -c streamw -n "__fish_streamw_needs_command" -l from -d 'Where reading of followed files begins' -r -f -a "start\t'With all that is there'
end\t'With what is written from now on'"
complete -c streamw -n "__fish_streamw_needs_command" -l history -d 'Read this file before the followed one of which it is a rotation, as a part of it; repeatable' -r -F
complete -c streamw -n "__fish_streamw_needs_command" -l rotate-wait -d 'How long a renamed file that is still written to is read on before the new one is begun' -r
complete -c streamw -n "__fish_streamw_needs_command" -l poll-interval -d 'How often followed files are looked at where nothing tells that they have changed' -r
complete -c streamw -n "__fish_streamw_needs_command" -l punctuate -d 'A record with this field moves W to its value and is no event; no other record moves W' -r
complete -c streamw -n "__fish_streamw_needs_command" -l partition -d 'Each value of this field is a source with a watermark of its own; W is their minimum' -r
complete -c streamw -n "__fish_streamw_needs_command" -s t -l time -d 'Event-time field [default: the first of timestamp @timestamp time ts event_time datetime date]' -r
complete -c streamw -n "__fish_streamw_needs_command" -l time-format -d 'How the event time is written: auto, rfc3339, s, ms, us, ns or a strftime pattern' -r
complete -c streamw -n "__fish_streamw_needs_command" -l timezone -d 'IANA time zone of times without an offset, of windows and of printed times' -r
complete -c streamw -n "__fish_streamw_needs_command" -l year -d 'Year of the first record, for a --time-format without a year, such as %b %e %H:%M:%S' -r
complete -c streamw -n "__fish_streamw_needs_command" -s k -l key -d 'Grouping key, repeatable for a composite key' -r
complete -c streamw -n "__fish_streamw_needs_command" -l key-limit -d 'Most keys with state, for each -w' -r
complete -c streamw -n "__fish_streamw_needs_command" -l on-key-limit -d 'What becomes of an event whose key is one too many' -r -f -a "fail\t'the run stops (exit 1)'
other\t'all such are folded into one row, marked "other", whose keys are null'
drop\t'it is dropped and counted'"
complete -c streamw -n "__fish_streamw_needs_command" -l dedup -d 'Field whose value tells duplicates: an event with one that was seen before is none' -r
complete -c streamw -n "__fish_streamw_needs_command" -l dedup-within -d 'The most event time between duplicates [default: any, until the first one\'s windows are gone]' -r
complete -c streamw -n "__fish_streamw_needs_command" -s a -l agg -d 'Aggregate, repeatable [default: count]' -r
complete -c streamw -n "__fish_streamw_needs_command" -s i -l input-format -d 'Input format: auto, ndjson, csv, tsv, combined, logfmt, regex:RE' -r
complete -c streamw -n "__fish_streamw_needs_command" -l delimiter -d 'What stands between cells of csv or tsv: one character, or \\t' -r
complete -c streamw -n "__fish_streamw_needs_command" -l columns -d 'csv and tsv have no header; columns are called so' -r
complete -c streamw -n "__fish_streamw_needs_command" -l null -d 'A text that means null, repeatable' -r
complete -c streamw -n "__fish_streamw_needs_command" -l max-line -d 'Longest line in bytes (K, M, G allowed); a longer one is one bad record' -r
complete -c streamw -n "__fish_streamw_needs_command" -l replay -d 'Feed a recorded input at the pace of its event time: 1x, 10x, 0.5x' -r
complete -c streamw -n "__fish_streamw_needs_command" -l replay-max-gap -d 'A longer gap between two records is replayed as if it were this long' -r
complete -c streamw -n "__fish_streamw_needs_command" -l threads -d 'Decoder threads [default: all cores]' -r
complete -c streamw -n "__fish_streamw_needs_command" -s o -l output-format -d 'Format of rows [default: table on a terminal, else ndjson]' -r -f -a "ndjson\t'a JSON object a line'
csv\t'comma-separated values with a header (RFC 4180)'
tsv\t'the same between tabs'
table\t'aligned columns, for people'
prometheus\t'the newest row of each key as Prometheus\' text format, for its node_exporter\'s textfile directory'"
complete -c streamw -n "__fish_streamw_needs_command" -l output -d 'Write rows to a file instead of stdout' -r -F
complete -c streamw -n "__fish_streamw_needs_command" -l output-time -d 'How times are written: RFC 3339 in --timezone, or numbers' -r -f -a "rfc3339\t'2026-01-01T00:00:00Z'
s\t'seconds since 1970'
ms\t'milliseconds'
us\t'microseconds'
ns\t'nanoseconds'"
complete -c streamw -n "__fish_streamw_needs_command" -l late -d 'Write late drops to a file instead of stderr' -r -F
complete -c streamw -n "__fish_streamw_needs_command" -l bad -d 'Write bad records to a file instead of stderr' -r -F
complete -c streamw -n "__fish_streamw_needs_command" -l color -d 'Colour for people: in a table, and where lines on stderr begin' -r -f -a "auto\t'what a terminal shows, unless NO_COLOR is set'
always\t'also what goes elsewhere'
never\t'nothing'"
complete -c streamw -n "__fish_streamw_needs_command" -l max-bad -d 'Stop after more than N bad records, or fail at the end for more than P% (exit 3)' -r
complete -c streamw -n "__fish_streamw_needs_command" -l max-late -d 'The same for late drops' -r
complete -c streamw -n "__fish_streamw_needs_command" -l where -d 'Take only records of which this is so: \'status >= 500 && !path.startsWith("/health")\'' -r
complete -c streamw -n "__fish_streamw_needs_command" -l let -d 'A field that is computed of others, for -k, -a, -t, --where and the --let after it; repeatable' -r
complete -c streamw -n "__fish_streamw_needs_command" -l having -d 'Print only rows of which this is so: \'count > 100 && path != "/health"\'' -r
complete -c streamw -n "__fish_streamw_needs_command" -l fail-if -d 'Fail if this is so of any row printed, or of the summary (exit 3); repeatable' -r
complete -c streamw -n "__fish_streamw_needs_command" -l warn-if -d 'The same without failing' -r
complete -c streamw -n "__fish_streamw_needs_command" -l for -d 'A check of rows counts when it is so in N consecutive windows of a key' -r
complete -c streamw -n "__fish_streamw_needs_command" -l expect -d 'Compare the table that rows make in the end with a file: .csv, .tsv, else NDJSON (exit 3)' -r -F
complete -c streamw -n "__fish_streamw_needs_command" -l tolerance -d 'How far numbers may be from those of --expect: 0.001, or a share: 0.1%' -r
complete -c streamw -n "__fish_streamw_needs_command" -l expect-keys -d 'Fail if a window that has rows has none for a key of this file, one a line (exit 3)' -r -F
complete -c streamw -n "__fish_streamw_needs_command" -l expect-windows -d 'Fail if a window between these times has no row, or none for a key of --expect-keys (exit 3)' -r
complete -c streamw -n "__fish_streamw_needs_command" -l report -d 'Write what the checks found as a file that CI systems show: JUnit\'s XML' -r -F
complete -c streamw -n "__fish_streamw_needs_command" -l check-order -d 'Read the files again in N other orders within -d, and fail if other rows come of one (exit 3)' -r
complete -c streamw -n "__fish_streamw_needs_command" -l order-seed -d 'The same seed makes the same orders' -r
complete -c streamw -n "__fish_streamw_needs_command" -l state -d 'Keep checkpoints in a directory, and go on from the newest one' -r -F
complete -c streamw -n "__fish_streamw_needs_command" -l checkpoint-interval -d 'Time between checkpoints' -r
complete -c streamw -n "__fish_streamw_needs_command" -l stdin-resume -d 'What a pipe on stdin brings when a run goes on' -r -f -a "skip\t'the same once more, as in cat FILE | streamw: what was processed is checked and skipped'
continue\t'what comes next, from a source that goes on'"
complete -c streamw -n "__fish_streamw_needs_command" -l config -d 'Take flags also from a TOML file, by their long names' -r -F
complete -c streamw -n "__fish_streamw_needs_command" -l merge -d 'Take records of all files side by side, always of the one whose watermark is the smallest'
complete -c streamw -n "__fish_streamw_needs_command" -l idle-flush -d 'Print all open windows when all sources are idle'
complete -c streamw -n "__fish_streamw_needs_command" -s F -l follow -d 'Keep reading as files grow, also when they are renamed, truncated, replaced or not there yet'
complete -c streamw -n "__fish_streamw_needs_command" -l no-header -d 'csv and tsv have no header; columns are called 1, 2, 3, ...'
complete -c streamw -n "__fish_streamw_needs_command" -l csv-safe -d 'Put \' before texts in csv and tsv that a spreadsheet would take for a formula'
complete -c streamw -n "__fish_streamw_needs_command" -l stats -d 'Print a summary as a JSON line on stderr at the end'
complete -c streamw -n "__fish_streamw_needs_command" -s q -l quiet -d 'No lines for people on stderr, but the reason for a failure'
complete -c streamw -n "__fish_streamw_needs_command" -s v -l verbose -d 'Say on stderr what was found and chosen, and at the end in words what came of it'
complete -c streamw -n "__fish_streamw_needs_command" -l strict -d 'Stop at the first bad record (exit 1)'
complete -c streamw -n "__fish_streamw_needs_command" -l where-first -d 'Records that do not pass --where do not move the watermark either'
complete -c streamw -n "__fish_streamw_needs_command" -l update-expect -d 'Write the file of --expect instead'
complete -c streamw -n "__fish_streamw_needs_command" -l flush -d 'At the end of input, print what is open and forget that it was'
complete -c streamw -n "__fish_streamw_needs_command" -l hold -d 'Print rows only when the checkpoint that has them is written'
complete -c streamw -n "__fish_streamw_needs_command" -l print-config -d 'Print all flags as they would hold, and where each came from, as a file for --config'
complete -c streamw -n "__fish_streamw_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c streamw -n "__fish_streamw_needs_command" -s V -l version -d 'Print version'
complete -c streamw -n "__fish_streamw_needs_command" -a "chaos" -d 'Make clean records nasty, the same way for the same seed: late, twice, from the future, missing, broken'
complete -c streamw -n "__fish_streamw_needs_command" -a "completions" -d 'Print the completion script for a shell'
complete -c streamw -n "__fish_streamw_needs_command" -a "man" -d 'Print the manual page'
complete -c streamw -n "__fish_streamw_needs_command" -a "state" -d 'Look into a state directory, or remove what is in it'
complete -c streamw -n "__fish_streamw_using_subcommand chaos" -l late -d 'So many records come late: after one that is --late-by newer' -r
complete -c streamw -n "__fish_streamw_using_subcommand chaos" -l late-by -d 'How late they come, in event time' -r
complete -c streamw -n "__fish_streamw_using_subcommand chaos" -l dup -d 'So many come twice' -r
complete -c streamw -n "__fish_streamw_using_subcommand chaos" -l future -d 'So many have a time from the future, by --future-by' -r
complete -c streamw -n "__fish_streamw_using_subcommand chaos" -l future-by -d 'How far their times are moved' -r
complete -c streamw -n "__fish_streamw_using_subcommand chaos" -l drop -d 'So many do not come at all' -r
complete -c streamw -n "__fish_streamw_using_subcommand chaos" -l garbage -d 'So many come broken, so that they cannot be read' -r
complete -c streamw -n "__fish_streamw_using_subcommand chaos" -l seed -d 'The same seed does the same to the same input' -r
complete -c streamw -n "__fish_streamw_using_subcommand chaos" -s t -l time -d 'Event-time field [default: the first of timestamp @timestamp time ts event_time datetime date]' -r
complete -c streamw -n "__fish_streamw_using_subcommand chaos" -l time-format -d 'How the event time is written, as in a run' -r
complete -c streamw -n "__fish_streamw_using_subcommand chaos" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c streamw -n "__fish_streamw_using_subcommand completions" -s h -l help -d 'Print help'
complete -c streamw -n "__fish_streamw_using_subcommand man" -s h -l help -d 'Print help'
complete -c streamw -n "__fish_streamw_using_subcommand state; and not __fish_seen_subcommand_from show dump verify reset" -s h -l help -d 'Print help'
complete -c streamw -n "__fish_streamw_using_subcommand state; and not __fish_seen_subcommand_from show dump verify reset" -f -a "show" -d 'Say what is in a state: flags, inputs and how far they are, windows, sizes'
complete -c streamw -n "__fish_streamw_using_subcommand state; and not __fish_seen_subcommand_from show dump verify reset" -f -a "dump" -d 'Print the open windows of a state as NDJSON, as they would come now'
complete -c streamw -n "__fish_streamw_using_subcommand state; and not __fish_seen_subcommand_from show dump verify reset" -f -a "verify" -d 'Check every byte of the two newest checkpoints (exit 1 if the newest is damaged)'
complete -c streamw -n "__fish_streamw_using_subcommand state; and not __fish_seen_subcommand_from show dump verify reset" -f -a "reset" -d 'Remove a state, so that the next run begins anew'
complete -c streamw -n "__fish_streamw_using_subcommand state; and __fish_seen_subcommand_from show" -l json -d 'As one JSON object'
complete -c streamw -n "__fish_streamw_using_subcommand state; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c streamw -n "__fish_streamw_using_subcommand state; and __fish_seen_subcommand_from dump" -l key -d 'Only those whose (first) key is a text that begins so' -r
complete -c streamw -n "__fish_streamw_using_subcommand state; and __fish_seen_subcommand_from dump" -s h -l help -d 'Print help'
complete -c streamw -n "__fish_streamw_using_subcommand state; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c streamw -n "__fish_streamw_using_subcommand state; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help'
