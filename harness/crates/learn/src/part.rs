//! An exercise as text: the part of the book, and the file beside a learner's crate.

use crate::exercise::Exercise;
use crate::work::Work;
use std::fmt::Write;

/// The part that a chapter includes: the task, the command, the hints and the answer, folded.
pub fn part(exercise: &Exercise) -> String {
    let Exercise { number, title, minutes, difficulty, task, hints, answer, .. } = exercise;
    let mut part = format!("### {number}. {title}\n\n");
    let _ = write!(part, "*Code · {minutes} minutes · {difficulty}.*\n{}\n\n", task.trim());
    let _ = write!(part, "```sh\n{}\n```\n\n{}\n", exercise.command(), probes(exercise));
    for (number, hint) in (1..).zip(hints) {
        let which = if hints.len() == 1 { String::new() } else { format!(" {number}") };
        let _ = write!(part, "\n<details><summary>Hint{which}</summary>\n\n{}\n</details>\n", hint.trim());
    }
    let _ = write!(
        part,
        "\n<details><summary>Answer</summary>\n\n{}\n\nThe whole solution is a diff of the starter: \
         [notes/solutions/{name}.patch](../solutions/{name}.patch).\n</details>\n",
        answer.trim(),
        name = exercise.name
    );
    part
}

/// What stands beside the learner's crate.
pub(crate) fn task(work: &Work, exercise: &Exercise) -> String {
    let mut text = format!("# {}: {}\n\n", exercise.name, exercise.title);
    let _ = write!(text, "Chapter {:02}, about {} minutes, ", exercise.chapter, exercise.minutes);
    let _ = write!(text, "{}.\n\n{}\n\n{}\n\n", exercise.difficulty, exercise.task.trim(), probes(exercise));
    let (open, hint) = (work.command(&exercise.name), work.command(&format!("hint {}", exercise.name)));
    let _ = write!(text, "    {open}\n    {hint}\n");
    text
}

/// Which probes decide.
fn probes(exercise: &Exercise) -> String {
    let names = |of_starter: bool| {
        let chosen = exercise.probes.iter().filter(|probe| exercise.fails.contains(probe) == of_starter);
        chosen.map(|probe| format!("`{probe}`")).collect::<Vec<_>>().join(", ")
    };
    let mut text = format!("The starter fails {}.", names(true));
    let passed = names(false);
    if !passed.is_empty() {
        let _ = write!(text, " It passes {passed}, and so must the solution.");
    }
    wrapped(&text)
}

/// Lines of at most the book's width.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 140;
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("one at least");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n")
}
