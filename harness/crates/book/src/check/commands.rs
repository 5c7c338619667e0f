//! Commands: each `./lab …`, `just …` and `harness …` in the text exists, with its sub-commands and options.
//! clap is asked what the harness knows, the justfile which recipes there are, and a stage for its own
//! options.

use super::{Book, Page};
use crate::markdown::{Fence, parts, spans};
use anyhow::Result;
use clap::error::ErrorKind;
use std::collections::{BTreeMap, BTreeSet};

/// What commands are asked of.
pub(crate) struct Programs<'a> {
    /// The harness.
    pub(crate) harness: &'a clap::Command,
    /// The recipes, each with its lines.
    pub(crate) recipes: BTreeMap<String, Vec<String>>,
    /// The long options of a stage, as it lists them.
    pub(crate) options: &'a dyn Fn(&str) -> Result<BTreeSet<String>>,
    /// The claims that `experiment` knows.
    pub(crate) claims: BTreeSet<String>,
    /// The mutants and their kinds.
    pub(crate) mutants: BTreeSet<String>,
    /// Whether an exercise has this name.
    pub(crate) is_exercise: &'a dyn Fn(&str) -> Result<()>,
}

/// What the book shows because it is refused: the stage says in one line what it lacks.
const REFUSED: [&str; 1] = ["./lab stage 9 --log async"];

/// Where a command stands: in a block it is whole, in a sentence it may be only the beginning of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Block,
    Sentence,
}

/// The recipes of a justfile. An alias has the lines of what it stands for.
pub(crate) fn recipes(justfile: &str) -> BTreeMap<String, Vec<String>> {
    let mut recipes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut aliases = Vec::new();
    let mut current = None;
    for line in justfile.lines() {
        if line.starts_with(' ') {
            let body = current.as_ref().and_then(|name| recipes.get_mut(name));
            body.into_iter().for_each(|body| body.push(line.trim().to_owned()));
        } else if let Some((alias, name)) =
            line.strip_prefix("alias ").and_then(|rest| rest.split_once(" := "))
        {
            aliases.push((alias.trim().to_owned(), name.trim().to_owned()));
        } else if line.starts_with(|c: char| c.is_ascii_lowercase()) && !line.contains(":=") {
            let Some((head, _)) = line.split_once(':') else { continue };
            let name = head.split(' ').next().unwrap_or_default().to_owned();
            recipes.insert(name.clone(), Vec::new());
            current = Some(name);
        }
    }
    for (alias, name) in aliases {
        let body = recipes.get(&name).cloned().unwrap_or_default();
        recipes.insert(alias, body);
    }
    recipes
}

pub(crate) fn faults(book: &Book, programs: &Programs) -> Vec<String> {
    book.pages.iter().flat_map(|page| of_page(page, programs)).collect()
}

fn of_page(page: &Page, programs: &Programs) -> Vec<String> {
    let blocks = parts(&page.text).fences.into_iter().flat_map(|fence| typed(&fence));
    let blocks = blocks.map(|line| (Place::Block, line));
    let sentences = spans(&page.text).into_iter().map(|span| (Place::Sentence, span));
    let mut faults = Vec::new();
    for (place, line) in blocks.chain(sentences) {
        for words in
            simple_commands(&line).into_iter().filter(|words| !REFUSED.contains(&words.join(" ").as_str()))
        {
            if let Err(why) = programs.know(&words, place) {
                faults.push(format!("{}: `{}`: {why}", page.name, words.join(" ")));
            }
        }
    }
    faults
}

/// What a reader types of a block: in `sh` everything, in `console` what follows a `$`.
fn typed(fence: &Fence) -> Vec<String> {
    let is_console = match fence.info.as_str() {
        "sh" | "bash" | "shell" => false,
        "console" => true,
        _ => return Vec::new(),
    };
    let mut typed: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in &fence.lines {
        let begin = line.strip_prefix("$ ").filter(|_| is_console);
        match (goes_on, begin) {
            (true, _) => typed.last_mut().expect("it was begun").push_str(line),
            (false, Some(line)) => typed.push(line.to_owned()),
            (false, None) if is_console => continue,
            (false, None) => typed.push(line.clone()),
        }
        let last = typed.last_mut().expect("a line was pushed");
        goes_on = last.ends_with('\\') || is_console && last.ends_with('|');
        if last.ends_with('\\') {
            last.pop();
        }
    }
    typed
}

/// The words of each command of a shell's line, without comments and redirections.
fn simple_commands(line: &str) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut is_target = false;
    let mut letters = line.chars().peekable();
    let end = |word: &mut Option<String>, commands: &mut Vec<Vec<String>>, is_target: &mut bool| {
        // A target is named once, by the next word.
        if let Some(word) = word.take()
            && !std::mem::take(is_target)
        {
            commands.last_mut().expect("one at least").push(word);
        }
    };
    while let Some(letter) = letters.next() {
        match letter {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                word.extend(letters.by_ref().take_while(|next| *next != letter));
            }
            '\\' => word.get_or_insert_default().extend(letters.next()),
            '#' if word.is_none() => break,
            '|' | '&' | ';' | '(' | ')' => {
                end(&mut word, &mut commands, &mut is_target);
                is_target = false;
                commands.push(Vec::new());
            }
            '>' | '<' => {
                // The number of a descriptor belongs to the redirection; `<` may begin a placeholder.
                if word.as_ref().is_some_and(|word| word.chars().all(|c| c.is_ascii_digit())) {
                    word = None;
                }
                end(&mut word, &mut commands, &mut is_target);
                while letters.peek().is_some_and(|next| ">&".contains(*next)) {
                    letters.next();
                }
                is_target = true;
            }
            space if space.is_whitespace() => end(&mut word, &mut commands, &mut is_target),
            other => word.get_or_insert_default().push(other),
        }
    }
    end(&mut word, &mut commands, &mut is_target);
    // Words that only say how the command after them is run.
    let before = |word: &String| ["sudo", "time", "$"].contains(&word.as_str()) || is_assignment(word);
    for command in &mut commands {
        let from = command.iter().position(|word| !before(word)).unwrap_or(command.len());
        command.drain(..from);
    }
    commands.retain(|command| !command.is_empty());
    commands
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// `N`, `NAME`, `FILE.jsonl`, `…`: a word for which a reader puts another one.
fn is_placeholder(word: &str) -> bool {
    let stem = word.split('.').next().unwrap_or_default();
    word.contains('…')
        || word.contains("...")
        || word.starts_with(['[', '<'])
        || stem.chars().any(|c| c.is_ascii_uppercase())
            && stem.chars().all(|c| c.is_ascii_uppercase() || "_-|".contains(c))
}

impl Programs<'_> {
    /// Whether a command exists; one of another program is none of ours.
    fn know(&self, words: &[String], place: Place) -> Result<(), String> {
        let [program, rest @ ..] = words else { return Ok(()) };
        match program.as_str() {
            "./lab" | "just" => self.recipe(rest, place),
            "harness" => self.harness(rest.to_vec(), place),
            _ => Ok(()),
        }
    }

    fn recipe(&self, words: &[String], place: Place) -> Result<(), String> {
        let Some((name, rest)) = words.split_first() else { return Ok(()) };
        if is_placeholder(name) || name.starts_with('-') || name == "help" {
            return Ok(());
        }
        let Some(body) = self.recipes.get(name) else { return Err(format!("there is no recipe `{name}`")) };
        let call = |program: &str| {
            let line = body.iter().find_map(|line| line.split_once(program))?;
            let words = line.1.split_whitespace().take_while(|word| !word.starts_with(['"', ';']));
            Some(words.map(str::to_owned).collect::<Vec<String>>())
        };
        if let Some(own) = call("{{harness}} ") {
            return self.harness([own, rest.to_vec()].concat(), place);
        }
        if call("{{experiment}} ").is_some() {
            let is_id = |word: &&String| !word.starts_with('-') && !is_placeholder(word);
            let unknown = rest.iter().filter(is_id).find(|word| !self.claims.contains(*word));
            return unknown.map_or(Ok(()), |word| Err(format!("there is no claim `{word}`")));
        }
        Ok(())
    }

    fn harness(&self, words: Vec<String>, place: Place) -> Result<(), String> {
        if words.is_empty() {
            return Ok(());
        }
        let has_placeholder = words.iter().any(|word| is_placeholder(word));
        // What stands for several words cannot be asked; the words before it can.
        let words: Vec<String> = words.into_iter().take_while(|word| !word.contains('…')).collect();
        let line = std::iter::once("lab".to_owned()).chain(words.iter().cloned());
        let matches = match self.harness.clone().try_get_matches_from(line) {
            Ok(matches) => matches,
            Err(error) => {
                use ErrorKind::{
                    DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion, InvalidValue,
                    MissingRequiredArgument, MissingSubcommand, TooFewValues, ValueValidation,
                    WrongNumberOfValues,
                };
                let kind = error.kind();
                let is_part = [
                    MissingRequiredArgument,
                    MissingSubcommand,
                    DisplayHelpOnMissingArgumentOrSubcommand,
                    TooFewValues,
                    WrongNumberOfValues,
                    InvalidValue,
                ];
                let is_fine = [DisplayHelp, DisplayVersion].contains(&kind)
                    || place == Place::Sentence && is_part[..5].contains(&kind)
                    // `--queue`, of which the value is not said.
                    || place == Place::Sentence && kind == InvalidValue && error.to_string().contains("a value is required")
                    || has_placeholder && [InvalidValue, ValueValidation].contains(&kind);
                return if is_fine { Ok(()) } else { Err(lab_core::one_line(&error)) };
            }
        };
        match words[0].as_str() {
            "stage" | "grade" => self.of_stage(&words, &matches),
            "mutants" => {
                let is_name = |word: &&String| !word.starts_with('-') && !is_placeholder(word);
                let unknown = words[1..].iter().filter(is_name).find(|word| !self.mutants.contains(*word));
                unknown.map_or(Ok(()), |word| Err(format!("there is no mutant `{word}`")))
            }
            "learn" => self.learn(&matches),
            _ => Ok(()),
        }
    }

    /// Each word is an exercise, or what is to be done with one.
    fn learn(&self, matches: &clap::ArgMatches) -> Result<(), String> {
        let words = matches.subcommand().and_then(|(_, learn)| learn.try_get_many::<String>("words").ok()?);
        let is_name = |word: &&String| {
            !["list", "hint", "reset", "solution"].contains(&word.as_str()) && !is_placeholder(word)
        };
        for word in words.into_iter().flatten().filter(is_name) {
            (self.is_exercise)(word).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// The options of the harness are known; what is left must be the stage's.
    fn of_stage(&self, words: &[String], matches: &clap::ArgMatches) -> Result<(), String> {
        let Some((_, matches)) = matches.subcommand() else { return Ok(()) };
        let stage = matches.try_get_one::<String>("stage").ok().flatten();
        let stage = stage.filter(|stage| *stage != "all" && !is_placeholder(stage));
        let Some(stage) = stage else { return Ok(()) };
        let known = (self.options)(stage).map_err(|error| format!("{error:#}"))?;
        let Some(command) = self.harness.find_subcommand(&words[0]) else { return Ok(()) };
        let own: BTreeSet<String> = command
            .get_arguments()
            .filter_map(|arg| arg.get_long())
            .map(|long| format!("--{long}"))
            .collect();
        // From the first word that is the stage's own, everything goes to the stage.
        let mut first = None;
        for word in words.iter().skip_while(|word| *word != stage).filter(|word| word.starts_with("--")) {
            let name = word.split('=').next().unwrap_or_default();
            match (known.contains(name), own.contains(name), first) {
                (false, false, _) => return Err(format!("stage {stage} has no option `{name}`")),
                (false, true, Some(first)) => {
                    return Err(format!("`{first}` is the stage's: `{name}` must stand before it"));
                }
                (true, false, None) => first = Some(name),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::invented;
    use super::*;
    use clap::{Arg, Command};

    const JUSTFILE: &str = "# Run a stage.\n[group('x')]\nstage *ARGS: build\n    @{{harness}} stage \"$@\"\n\n\
                            load *ARGS: build\n    @{{harness}} load \"$@\"\n\nalias put := load\n\n\
                            experiment *ARGS: build\n    @{{experiment}} \"$@\"\n\nmutants *ARGS:\n    {{harness}} mutants \"$@\"\n\n\
                            grade *ARGS:\n    {{harness}} grade \"$@\"\n\nloom:\n    cargo test\n\nlearn *ARGS:\n    {{harness}} learn \"$@\"\n\nnotes-check:\n    {{harness}} notes check\n\nx := \"y\"\n";

    fn harness() -> Command {
        let rate = Arg::new("rate").long("rate").value_parser(clap::value_parser!(u32));
        let options = Arg::new("options").num_args(0..).allow_hyphen_values(true).trailing_var_arg(true);
        Command::new("lab")
            .subcommand(Command::new("load").arg(Arg::new("url").required(true)).arg(rate))
            .subcommand(Command::new("stage").arg(Arg::new("stage").required(true)).arg(options.clone()))
            .subcommand(
                Command::new("grade")
                    .arg(Arg::new("stage").required(true))
                    .arg(Arg::new("only").long("only"))
                    .arg(options),
            )
            .subcommand(
                Command::new("mutants")
                    .arg(Arg::new("names").num_args(0..))
                    .arg(Arg::new("list").long("list").num_args(0)),
            )
            .subcommand(Command::new("learn").arg(Arg::new("words").num_args(0..)))
            .subcommand(Command::new("notes").subcommand_required(true).subcommand(Command::new("check")))
    }

    fn of(page: &str) -> Vec<String> {
        let (_directory, book) = invented(&[("page.md", page)]);
        let harness = harness();
        let programs = Programs {
            harness: &harness,
            recipes: recipes(JUSTFILE),
            options: &|_| Ok(["--trigger".to_owned()].into()),
            claims: ["edge-or-level".to_owned()].into(),
            mutants: ["eintr".to_owned()].into(),
            is_exercise: &|name| {
                anyhow::ensure!(name == "05-short", "there is no exercise `{name}`");
                Ok(())
            },
        };
        faults(&book, &programs)
    }

    /// Protects a student who types what stands in the book.
    #[test]
    fn each_command_that_does_not_exist_is_found() {
        for good in [
            "`./lab load URL`, `./lab load`, `./lab load http://x/ --rate N`, `./lab put x`, `just loom`",
            "`./lab stage 5 --trigger edge`, `./lab stage N`, `./lab experiment edge-or-level`, `./lab experiment ID`",
            "`./lab grade 5 --only x --trigger edge`, `./lab grade --only x 5 --trigger edge`",
            "`./lab mutants eintr`, `./lab mutants --list`, `./lab notes-check`, `harness notes check`",
            "`./lab learn`, `./lab learn 05-short`, `./lab learn hint 05-short`, `./lab learn EXERCISE`",
            "just as before, `make load`, `./lab RECIPE`, `./lab --help`, `curl x | ./labyrinth`",
            "```sh\nsudo X=1 ./lab load http://x/ --rate 5   # --gone\n./lab load x > --gone 2>&1 &\n```",
            "```console\n$ ./lab load \\\n    x\n./lab gone\n```\n```text\n./lab gone\n```",
        ] {
            assert_eq!(of(good), [""; 0], "{good}");
        }
        for (bad, expected) in [
            ("`./lab gone`", "`./lab gone`: there is no recipe `gone`"),
            ("`just gone 1`", "`just gone 1`: there is no recipe `gone`"),
            ("`./lab load x --gone`", "`./lab load x --gone`: unexpected argument '--gone' found"),
            ("`./lab load x --rate many`", "`./lab load x --rate many`: invalid value 'many'"),
            ("`harness gone`", "`harness gone`: unrecognized subcommand 'gone'"),
            ("`harness notes gone`", "`harness notes gone`: unrecognized subcommand 'gone'"),
            ("`./lab stage 5 --gone 1`", "`./lab stage 5 --gone 1`: stage 5 has no option `--gone`"),
            (
                "`./lab grade 5 --trigger edge --only x`",
                "`./lab grade 5 --trigger edge --only x`: `--trigger` is the stage's: `--only` must stand before it",
            ),
            ("`./lab experiment gone`", "`./lab experiment gone`: there is no claim `gone`"),
            ("`./lab learn hint gone`", "`./lab learn hint gone`: there is no exercise `gone`"),
            ("`./lab mutants gone`", "`./lab mutants gone`: there is no mutant `gone`"),
            ("```sh\n./lab load\n```", "`./lab load`: the following required arguments were not provided"),
            ("```sh\nsleep 1; (./lab gone &)\n```", "`./lab gone`: there is no recipe `gone`"),
            ("```console\n$ curl x |\n    ./lab gone\n```", "`./lab gone`: there is no recipe `gone`"),
        ] {
            let found = of(bad);
            assert!(
                found.len() == 1 && found[0].starts_with(&format!("page.md: {expected}")),
                "{bad}: {found:?}"
            );
        }
    }
}
