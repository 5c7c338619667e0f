//! `./lab predict N` and `./lab reveal N`: a reader guesses before reading, then sees the guess beside what
//! is measured on the reader's own machine.
//!
//! The questions are those of the chapter: data of the book (`book::predictions`). Here they are asked
//! (`answer`), kept (`guesses`), measured (`measure`), and set beside what was recorded (`recorded`). A
//! result is shown to nobody who has not guessed: an answer that one has read looks as if one had known it.

mod answer;
mod guesses;
mod measure;
mod recorded;

use anyhow::{Context, Result, bail};
use book::predictions::{Answer, Prediction, Predictions, letter};
use guesses::{Guesses, Kept};
use indicatif::{ProgressBar, ProgressStyle};
use lab_core::Usage;
use lab_core::interruption::Interruption;
use measure::{Found, Lab};
use std::io::{BufRead, IsTerminal, Write, stderr, stdin, stdout};
use std::path::PathBuf;
use std::process::{ExitCode, exit};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// The folder of what a learner writes, below the root of the tree. git ignores it.
const WORK: &str = "work";
/// Before lines that go on.
const INDENT: &str = "   ";
/// How wide the text is.
const WIDTH: usize = 100;

/// The options of `./lab predict`.
#[derive(clap::Args, Clone, Debug)]
pub struct PredictArgs {
    /// The chapter: 5, 05.
    #[arg(value_name = "CHAPTER")]
    chapter: String,
    /// The guess for question N, instead of being asked: 1=b, 2=11, 3='it sleeps'. Again for each question.
    #[arg(long, value_name = "N=GUESS")]
    answer: Vec<String>,
    /// Where the guesses are kept [default: work]
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
}

/// The options of `./lab reveal`.
#[derive(clap::Args, Clone, Debug)]
pub struct RevealArgs {
    /// The chapter: 5, 05.
    #[arg(value_name = "CHAPTER")]
    chapter: String,
    /// Measure these questions only: 1,3
    #[arg(long, value_name = "N", value_delimiter = ',')]
    only: Vec<usize>,
    /// Where the guesses are kept [default: work]
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
}

/// A chapter with its predictions and the reader's guesses.
struct Session {
    lab: Lab,
    /// Of the stage: `05`.
    chapter: String,
    number: u8,
    title: String,
    file: String,
    predictions: Vec<Prediction>,
    seconds: u64,
    guesses: Guesses,
}

impl Session {
    fn open(chapter: &str, work: Option<PathBuf>) -> Result<Self> {
        let lab = Lab::find()?;
        let stage = lab.chapter(chapter)?;
        let (chapter, number) = (stage.name.clone(), stage.number);
        let (title, file) = (stage.title.clone(), stage.chapter.clone());
        let all = Predictions::read(&lab.root, &chapter)?;
        let guesses = Guesses::of(&work.unwrap_or_else(|| lab.root.join(WORK)));
        let seconds = all.seconds();
        Ok(Self { lab, chapter, number, title, file, predictions: all.prediction, seconds, guesses })
    }

    /// Under which name a prediction's guesses are kept.
    fn name(&self, prediction: &Prediction) -> String {
        format!("{}/{}", self.chapter, prediction.id)
    }

    fn numbered(&self) -> impl Iterator<Item = (usize, &Prediction)> {
        (1..).zip(&self.predictions)
    }
}

/// Asks for guesses and keeps them.
///
/// # Errors
///
/// The chapter or an answer is not known, or the guesses cannot be kept.
pub fn predict(args: PredictArgs) -> Result<ExitCode> {
    let session = Session::open(&args.chapter, args.work)?;
    let given = args.answer.iter().map(|text| session.given(text)).collect::<Result<Vec<_>>>();
    let given = given.map_err(Usage::of)?;
    // Before anything is asked: what cannot be read must not cost a reader's answers.
    let kept = session.guesses.read()?;
    for (name, answer) in &given {
        session.guesses.add_guess(name, answer)?;
    }
    match (given.is_empty(), stdin().is_terminal()) {
        (false, _) => session.tell()?,
        (true, true) => session.ask(&kept)?,
        (true, false) => session.list(&kept),
    }
    Ok(ExitCode::SUCCESS)
}

impl Session {
    /// `2=11`: the name of the prediction, and what is kept.
    fn given(&self, text: &str) -> Result<(String, String)> {
        let shown = text.escape_debug();
        let (number, typed) = text
            .split_once('=')
            .with_context(|| format!("--answer takes N=GUESS, for example 1=b, not `{shown}`"))?;
        let prediction = self.prediction(number)?;
        let answer = answer::read(&prediction.answer, typed).with_context(|| format!("--answer {number}"))?;
        Ok((self.name(prediction), answer))
    }

    fn prediction(&self, number: &str) -> Result<&Prediction> {
        let at = number.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        at.and_then(|at| self.predictions.get(at)).with_context(|| {
            format!(
                "chapter {} has no question `{}`: it has 1 to {}",
                self.chapter,
                number.escape_debug(),
                self.predictions.len()
            )
        })
    }

    fn show(&self, number: usize, prediction: &Prediction) {
        println!("{}", wrapped(&format!("{number}. "), &without_emphasis(&prediction.question)));
        if let Answer::Choice(choices) = &prediction.answer {
            for (at, choice) in choices.iter().enumerate() {
                println!("{}", wrapped(&format!("{INDENT}{}  ", letter(at)), &choice.text));
            }
        }
    }

    /// On a terminal, one by one. Each is kept at once; an end of the input ends the questions.
    fn ask(&self, kept: &Kept) -> Result<()> {
        println!("Chapter {}, {}. Guess, even if you do not know; Ctrl-D ends.\n", self.chapter, self.title);
        let mut lines = stdin().lock().lines();
        for (number, prediction) in self.numbered() {
            self.show(number, prediction);
            let name = self.name(prediction);
            let before = kept.guess(&name);
            if let Some(guess) = before {
                println!(
                    "{INDENT}Your guess so far: {} (Enter keeps it)",
                    answer::words(&prediction.answer, guess)
                );
            }
            loop {
                print!("{INDENT}{}: ", answer::allowed(&prediction.answer));
                stdout().flush()?;
                let Some(line) = lines.next() else {
                    println!("\nWhat you have answered is kept.");
                    return Ok(());
                };
                let line = line.context("the answer cannot be read")?;
                if line.trim().is_empty() && before.is_some() {
                    break;
                }
                match answer::read(&prediction.answer, &line) {
                    Ok(answer) => {
                        self.guesses.add_guess(&name, &answer)?;
                        break;
                    }
                    Err(error) => println!("{INDENT}{error}"),
                }
            }
            println!();
        }
        self.tell()
    }

    /// Without a terminal: the questions, and how they are answered.
    fn list(&self, kept: &Kept) {
        println!("Chapter {}, {}\n", self.chapter, self.title);
        let mut missing = Vec::new();
        for (number, prediction) in self.numbered() {
            self.show(number, prediction);
            match kept.guess(&self.name(prediction)) {
                Some(guess) => {
                    println!("{INDENT}Your guess: {}\n", answer::words(&prediction.answer, guess));
                }
                None => {
                    println!("{INDENT}No guess yet: {}\n", answer::allowed(&prediction.answer));
                    missing.push(format!("--answer {number}=…"));
                }
            }
        }
        match missing.is_empty() {
            true => println!("All are answered: ./lab reveal {}", self.number),
            false => println!("Answer: ./lab predict {} {}", self.number, missing.join(" ")),
        }
    }

    /// What is kept now, and what comes next.
    fn tell(&self) -> Result<()> {
        let kept = self.guesses.read()?;
        for (number, prediction) in self.numbered() {
            let guess = kept.guess(&self.name(prediction));
            let words = guess.map_or("no guess yet".into(), |guess| answer::words(&prediction.answer, guess));
            println!("{number}. {words}");
        }
        match self.missing(&kept, &[]) {
            Some((number, _)) => println!("Question {number} is open: ./lab predict {}", self.number),
            None => println!(
                "Kept in {}. Next: ./lab reveal {} (measures for about {} seconds)",
                self.shown_file(),
                self.number,
                self.seconds
            ),
        }
        Ok(())
    }

    /// The file as a user of the tree names it.
    fn shown_file(&self) -> String {
        let file = self.guesses.file();
        file.strip_prefix(&self.lab.root).unwrap_or(&file).display().to_string()
    }

    /// The first question without a guess, of those that are chosen; of all, if none is.
    fn missing(&self, kept: &Kept, chosen: &[usize]) -> Option<(usize, &Prediction)> {
        self.numbered().find(|(number, prediction)| {
            let is_chosen = chosen.is_empty() || chosen.contains(number);
            is_chosen && kept.guess(&self.name(prediction)).is_none()
        })
    }
}

/// Measures, and sets each guess beside its result.
///
/// # Errors
///
/// A guess is missing, a server does not run, or the results cannot be kept.
pub fn reveal(args: RevealArgs) -> Result<ExitCode> {
    let session = Session::open(&args.chapter, args.work)?;
    for number in &args.only {
        session.prediction(&number.to_string()).map_err(Usage::of)?;
    }
    let kept = session.guesses.read()?;
    if let Some((number, _)) = session.missing(&kept, &args.only) {
        bail!(
            "question {number} of chapter {} has no guess yet: ./lab predict {}",
            session.chapter,
            session.number
        );
    }
    end_when_interrupted()?;
    println!("Chapter {}, {}\n", session.chapter, session.title);
    let is_chosen = |number: usize| args.only.is_empty() || args.only.contains(&number);
    let mut failed = false;
    for (number, prediction) in session.numbered().filter(|(number, _)| is_chosen(*number)) {
        failed |= !session.reveal(number, prediction, &kept)?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Session {
    /// Whether it could be measured.
    fn reveal(&self, number: usize, prediction: &Prediction, kept: &Kept) -> Result<bool> {
        let name = self.name(prediction);
        let guess = kept.guess(&name).context("there is a guess")?;
        println!("{}", wrapped(&format!("{number}. "), &without_emphasis(&prediction.question)));
        let row = |name: &str, text: &str| println!("{}", wrapped(&format!("{INDENT}{name:<12}"), text));
        row("your guess", &answer::words(&prediction.answer, guess));
        let seconds = prediction.measure.seconds();
        let bar = waiting(seconds);
        let measured = self.lab.measure(&prediction.measure);
        let recorded = recorded::recorded(&self.lab, &prediction.measure)?;
        bar.finish_and_clear();
        let is_measured = match measured {
            Ok(Ok(found)) => {
                let result = result_of(&prediction.answer, &found);
                let kept = result.as_deref().unwrap_or(&found.words);
                let words = match &prediction.answer {
                    Answer::Choice(_) => {
                        format!("{} ({})", answer::words(&prediction.answer, kept), found.words)
                    }
                    _ => found.words.clone(),
                };
                row("measured", &words);
                let verdict = result.as_deref().and_then(|result| {
                    let careful = recorded.as_ref().and_then(|recorded| recorded.key);
                    careful
                        .and_then(|key| answer::undecided(&prediction.answer, guess, result, key))
                        .or_else(|| answer::verdict(&prediction.answer, guess, result))
                });
                verdict.iter().for_each(|verdict| row("so", verdict));
                self.guesses.add_result(&name, kept)?;
                true
            }
            Ok(Err(missing)) => {
                row("measured", &format!("not here: {missing}"));
                false
            }
            Err(error) => {
                row("measured", &format!("not: {error:#}"));
                false
            }
        };
        if let Some(recorded) = recorded {
            row("recorded", &recorded.text);
        }
        row("why", &prediction.why);
        let (page, heading) = prediction.place(&self.file);
        row("read", &format!("notes/src/{page}#{heading}"));
        println!();
        Ok(is_measured)
    }
}

/// A question for a terminal, which shows no emphasis: `*not*` is `not` there.
fn without_emphasis(question: &str) -> String {
    question.replace('*', "")
}

/// Ctrl-C ends a reveal at once, whatever is measured: the generator catches the signal for itself. The
/// servers end with the process that has started them.
fn end_when_interrupted() -> Result<()> {
    const LOOK: Duration = Duration::from_millis(50);
    let interruption = Interruption::catch()?;
    spawn(move || {
        loop {
            if let Some(signal) = interruption.signal() {
                exit(128 + i32::from(signal));
            }
            sleep(LOOK);
        }
    });
    Ok(())
}

/// What of the measurement the question asks for.
fn result_of(answer: &Answer, found: &Found) -> Option<String> {
    match answer {
        Answer::Number(_) => found.number.map(|number| ((number * 1000.0).round() / 1000.0).to_string()),
        Answer::Choice(_) => found.key.clone(),
        Answer::Sentence(_) => None,
    }
}

/// A line that moves while something is measured: on a terminal it goes again.
fn waiting(seconds: u64) -> ProgressBar {
    let words = format!("measuring, about {seconds} s");
    if !stderr().is_terminal() {
        eprintln!("{words}");
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("   {spinner} {msg}: {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(words);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// A text behind what stands before its first line, its lines as wide as what precedes them.
fn wrapped(head: &str, text: &str) -> String {
    let blank = " ".repeat(head.chars().count());
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.trim().split("\n\n") {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + word.chars().count() + blank.len() >= WIDTH {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    let lines = lines.iter().enumerate();
    let lines = lines.map(|(at, line)| format!("{}{line}", if at == 0 { head } else { &blank }));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use book::predictions::Measure;
    use measure::servers;

    /// Protects every reader: each chapter asks, each question can be measured by what is there, and each of
    /// its choices has a letter.
    #[test]
    fn each_chapter_asks_what_can_be_measured() {
        let lab = Lab::find().expect("the workspace is above");
        for stage in lab.stages.iter().filter(|stage| !stage.is_twin) {
            let all = Predictions::read(&lab.root, &stage.name).expect(&stage.name);
            assert!((2..=4).contains(&all.prediction.len()), "{}", stage.name);
            for prediction in &all.prediction {
                let at = format!("{} {}", stage.name, prediction.id);
                assert!(prediction.measure.seconds() <= 20, "{at} takes too long");
                for server in servers(&prediction.measure) {
                    lab.stage(server).expect(&at);
                }
                match &prediction.measure {
                    Measure::Probe { probe, .. } => {
                        grader::probes::find(probe).expect(&at);
                    }
                    // A recording has no options.
                    Measure::CallsMore { server, than } => {
                        assert!(!server.contains(' ') && !than.contains(' '), "{at}");
                    }
                    _ => {}
                }
            }
        }
    }

    /// Protects the text on a narrow terminal: no line is too long, and each begins below the first one.
    #[test]
    fn a_long_text_goes_on_below_its_beginning() {
        let text = wrapped("1. ", &format!("{}\n\nend", "word ".repeat(30)));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].starts_with("1. word") && lines[1].starts_with("   word"), "{text}");
        assert_eq!(lines[2], "   end");
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{text}");
    }
}
