//! Flags that are not typed: variables `STREAMW_*`, and a file (`--config`). They become arguments before those that
//! are typed, so that one parser reads all of them; where each came from is kept for `--print-config`.

use super::{command, config_file};
use crate::output::text::{for_people, json_string};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

/// Flags about flags.
#[derive(Debug, Args)]
pub(super) struct ConfigFlags {
    /// Take flags also from a TOML file, by their long names
    ///
    /// As in: watermark-delay = "5s", agg = ["count", "max:ms"], stats = true. What is typed goes before a variable
    /// STREAMW_WATERMARK_DELAY (one for each flag that takes a value; for a repeatable one a value a line), and that before
    /// the file; lists are replaced as a whole. No file is read unless it is named.
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    config: Option<PathBuf>,

    /// Print all flags as they would hold, and where each came from, as a file for --config
    #[arg(long, help_heading = "Configuration")]
    pub print_config: bool,
}

/// Names and values of the environment's variables that begin with [`PREFIX`].
pub type Environment = [(OsString, OsString)];

/// How the variables' names begin.
pub const PREFIX: &str = "STREAMW_";

/// Flags that a file or a variable cannot give: they are about files and variables. (A variable may name the file.)
const ONLY_TYPED: [&str; 2] = ["config", "print-config"];

/// Where a flag's value came from.
#[derive(Clone, Debug)]
enum Origin {
    Variable(String),
    File { name: String, line: usize },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Variable(name) => f.write_str(name),
            Origin::File { name, line } => write!(f, "line {line} of {name}"),
        }
    }
}

/// All arguments, and what is to be said of them.
#[derive(Debug, Default)]
pub(super) struct Layers {
    /// Those from elsewhere, then those that were typed.
    pub arguments: Vec<OsString>,
    /// What is probably a mistake.
    pub warnings: Vec<String>,
    /// What was taken into account, for those who ask.
    pub choices: Vec<String>,
    /// By the flag's name inside the program.
    origins: HashMap<String, Origin>,
}

impl Layers {
    /// Adds what variables and the file say to what was typed.
    ///
    /// # Errors
    /// For people: the variable, or the file and its line, and what is wrong with it.
    pub fn new(typed: Vec<OsString>, environment: &Environment) -> Result<Layers, String> {
        let mut layers = Layers::default();
        // Mistakes in what was typed are told when all is read.
        let first = command().ignore_errors(true).try_get_matches_from(with_name(&typed));
        if let Some(matches) = first.ok().filter(|matches| matches.subcommand().is_none()) {
            Adding::new(&mut layers, &matches).all(&matches, environment)?;
        }
        layers.arguments.extend(typed);
        Ok(layers)
    }

    /// The flags as they hold, as a file for `--config`.
    ///
    /// # Errors
    /// A value that TOML cannot hold.
    pub fn print(&self, matches: &ArgMatches) -> Result<String, String> {
        let mut text = "# The flags of streamw as they hold; --config reads this file.\n".to_owned();
        for arg in command().get_arguments().filter(|arg| may_be_given(arg)) {
            let (id, long) = (arg.get_id().as_str(), arg.get_long().unwrap_or_default());
            let Some(value) = value(arg, matches)? else { continue };
            text += &match (self.origins.get(id), matches.value_source(id)) {
                (Some(origin), _) => format!("{long} = {value}  # {}\n", for_people(&origin.to_string())),
                (None, Some(ValueSource::CommandLine)) => format!("{long} = {value}  # command line\n"),
                // What nobody has said is not said for them: it would clash with what they say elsewhere.
                _ => format!("# {long} = {value}  # default\n"),
            };
        }
        Ok(text)
    }
}

/// A flag's value as TOML; none if it has none.
fn value(arg: &Arg, matches: &ArgMatches) -> Result<Option<String>, String> {
    let id = arg.get_id().as_str();
    if is_switch(arg) {
        return Ok(Some(matches.get_flag(id).to_string()));
    }
    let Some(values) = matches.get_raw(id) else { return Ok(None) };
    let quoted = |value: &OsStr| {
        let text = value.to_str().ok_or_else(|| {
            let (long, value) = (arg.get_long().unwrap_or_default(), value.to_string_lossy());
            format!("--{long} {value} is not UTF-8, which a file for --config must be")
        })?;
        let mut quoted = Vec::new();
        // JSON's strings are TOML's as well.
        json_string(&mut quoted, text);
        Ok::<_, String>(String::from_utf8_lossy(&quoted).into_owned())
    };
    let values = values.map(quoted).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(if is_repeatable(arg) { format!("[{}]", values.join(", ")) } else { values.concat() }))
}

/// Whether a flag may stand in a file.
fn may_be_given(arg: &Arg) -> bool {
    arg.get_long().is_some_and(|long| !ONLY_TYPED.contains(&long))
}

fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

fn is_repeatable(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

fn with_name(arguments: &[OsString]) -> impl Iterator<Item = OsString> + '_ {
    std::iter::once(OsString::from("streamw")).chain(arguments.iter().cloned())
}

/// The arguments while they are put together, from what goes first to what goes last.
struct Adding<'a> {
    layers: &'a mut Layers,
    command: clap::Command,
    /// Flags that have their values.
    settled: HashSet<String>,
}

impl Adding<'_> {
    fn new<'a>(layers: &'a mut Layers, typed: &ArgMatches) -> Adding<'a> {
        let is_typed = |id: &&clap::Id| typed.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        let settled = typed.ids().filter(is_typed).map(|id| id.as_str().to_owned()).collect();
        Adding { layers, command: command(), settled }
    }

    fn all(mut self, typed: &ArgMatches, environment: &Environment) -> Result<(), String> {
        // A line that makes no sense is refused when all is read.
        let Ok(flags) = ConfigFlags::from_arg_matches(typed) else { return Ok(()) };
        self.variables(environment)?;
        let from_variable = || {
            let (_, path) = environment.iter().find(|(name, _)| name == "STREAMW_CONFIG")?;
            (!path.is_empty()).then(|| PathBuf::from(path))
        };
        match flags.config.or_else(from_variable) {
            Some(path) => self.file(&path),
            None => Ok(()),
        }
    }

    fn variables(&mut self, environment: &Environment) -> Result<(), String> {
        let mut settled = Vec::new();
        for (variable, value) in environment {
            // An empty one is as good as none, as everywhere.
            if value.is_empty() || variable == "STREAMW_CONFIG" {
                continue;
            }
            let name = variable.to_string_lossy().into_owned();
            let Some(arg) = self.find(|arg| variable_of(arg) == name) else {
                self.unknown_variable(&name);
                continue;
            };
            if is_switch(&arg) {
                let long = arg.get_long().unwrap_or_default();
                self.layers.warnings.push(format!("{name} is not read: --{long} takes no value"));
                continue;
            }
            let values = match value.to_str() {
                Some(text) if is_repeatable(&arg) => text.lines().map(OsString::from).collect(),
                _ => vec![value.clone()],
            };
            settled.extend(self.set(&arg, &Origin::Variable(name), &values)?);
        }
        self.settled.extend(settled);
        Ok(())
    }

    fn unknown_variable(&mut self, name: &str) {
        // What they all begin with would make all of them alike.
        let rest = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
        let known: Vec<String> = (self.command.get_arguments())
            .filter(|arg| may_be_given(arg) && !is_switch(arg))
            .map(|arg| rest(&variable_of(arg)))
            .collect();
        match crate::suggest::nearest(&rest(name), known.iter().map(String::as_str)) {
            Some(near) => self
                .layers
                .warnings
                .push(format!("the variable {name} is no flag's and is not read; near: {PREFIX}{near}")),
            // Somebody else's, it seems.
            None => self.layers.choices.push(format!("the variable {name} is no flag's and is not read")),
        }
    }

    fn file(&mut self, path: &Path) -> Result<(), String> {
        let name = path.display().to_string();
        let mut settled = Vec::new();
        for entry in config_file::read(path)? {
            let origin = Origin::File { name: name.clone(), line: entry.line };
            let arg = self.find(|arg| arg.get_long() == Some(&entry.name));
            let arg = arg.ok_or_else(|| format!("{origin}: {}", self.unknown_name(&entry.name)))?;
            let values = self.values(&arg, entry.value).map_err(|message| format!("{origin}: {message}"))?;
            settled.extend(self.set(&arg, &origin, &values)?);
        }
        self.settled.extend(settled);
        self.layers.choices.push(format!("flags are also taken from {name}"));
        Ok(())
    }

    /// The values of a flag; an empty one stands for a switch that is on.
    fn values(&self, arg: &Arg, value: config_file::Value) -> Result<Vec<OsString>, String> {
        use config_file::Value;
        let long = arg.get_long().unwrap_or_default();
        match (value, is_switch(arg)) {
            (Value::Switch(true), true) => Ok(vec![OsString::new()]),
            (Value::Switch(false), true) => Ok(Vec::new()),
            (_, true) => Err(format!("{long} is on or off; write {long} = true or false")),
            (Value::Text(text), false) => Ok(vec![text.into()]),
            (Value::List(texts), false) if is_repeatable(arg) => Ok(texts.into_iter().map(OsString::from).collect()),
            (Value::List(_), false) => Err(format!("{long} takes one value and no list")),
            (Value::Switch(_), false) => Err(format!("{long} takes a value; write {long} = \"...\"")),
        }
    }

    fn unknown_name(&self, name: &str) -> String {
        if ONLY_TYPED.contains(&name) {
            return format!("--{name} cannot stand in a file");
        }
        let short = self.find(|arg| arg.get_short().is_some_and(|short| short.to_string() == name));
        if let Some(long) = short.as_ref().and_then(|arg| arg.get_long()) {
            return format!("\"{name}\" is not a long name; write {long}");
        }
        let known: Vec<&str> =
            self.command.get_arguments().filter(|arg| may_be_given(arg)).filter_map(Arg::get_long).collect();
        format!("there is no flag --{name}{}", crate::suggest::near(name, known))
    }

    fn find(&self, is_meant: impl Fn(&Arg) -> bool) -> Option<Arg> {
        self.command.get_arguments().find(|arg| may_be_given(arg) && is_meant(arg)).cloned()
    }

    /// Takes a flag's values unless what goes first has said otherwise; the flag's name then.
    fn set(&mut self, arg: &Arg, origin: &Origin, values: &[OsString]) -> Result<Option<String>, String> {
        let long = arg.get_long().unwrap_or_default();
        for value in values {
            let mut argument = OsString::from(format!("--{long}"));
            if !is_switch(arg) {
                argument.push("=");
                argument.push(value);
            }
            self.check(&argument).map_err(|message| format!("{origin}: {message}"))?;
            if !self.is_overruled(arg) {
                self.layers.arguments.push(argument);
            }
        }
        if self.is_overruled(arg) {
            return Ok(None);
        }
        let id = arg.get_id().to_string();
        self.layers.origins.insert(id.clone(), origin.clone());
        Ok(Some(id))
    }

    /// Whether the flag, or one that cannot be used with it, has been settled.
    fn is_overruled(&self, arg: &Arg) -> bool {
        let clashes = |one: &Arg, other: &Arg| {
            self.command.get_arg_conflicts_with(one).iter().any(|clashing| clashing.get_id() == other.get_id())
        };
        self.command
            .get_arguments()
            .filter(|other| self.settled.contains(other.get_id().as_str()))
            .any(|other| other.get_id() == arg.get_id() || clashes(arg, other) || clashes(other, arg))
    }

    /// Whether an argument makes sense by itself.
    fn check(&self, argument: &OsStr) -> Result<(), String> {
        let arguments = [argument.to_owned()];
        let Err(error) = self.command.clone().try_get_matches_from(with_name(&arguments)) else { return Ok(()) };
        match error.kind() {
            // What it lacks may come from elsewhere.
            ErrorKind::MissingRequiredArgument | ErrorKind::ArgumentConflict => Ok(()),
            _ => {
                let text = error.render().to_string();
                let text = text.strip_prefix("error: ").unwrap_or(&text);
                Err(text.split("\n\nFor more").next().unwrap_or(text).to_owned())
            }
        }
    }
}

/// The variable of a flag.
fn variable_of(arg: &Arg) -> String {
    PREFIX.to_owned() + &arg.get_long().unwrap_or_default().replace('-', "_").to_uppercase()
}
