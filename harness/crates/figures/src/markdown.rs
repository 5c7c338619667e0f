//! `README.md` for the directory of the charts, as a repository browser shows it.

use crate::findings::{Front, Place};
use crate::model::Figure;
use crate::table::{Table, plain};
use std::fmt::Write;

/// What the page is made of.
pub(crate) struct Page<'a> {
    pub(crate) front: &'a Front,
    pub(crate) figures: &'a [&'a Figure],
    /// The path of the chapter about measuring, where there is one.
    pub(crate) measuring: Option<String>,
}

impl Page<'_> {
    /// The page.
    pub(crate) fn text(&self) -> String {
        let mut page = String::from("# What was found\n\n");
        self.first_screen(&mut page);
        for figure in self.figures {
            self.figure(&mut page, figure);
        }
        self.claims(&mut page);
        self.then(&mut page);
        self.method(&mut page);
        page
    }

    fn first_screen(&self, page: &mut String) {
        for warning in &self.front.warnings {
            let _ = writeln!(page, "**{warning}**\n");
        }
        let _ = writeln!(page, "{}\n", plain(&self.front.intro));
        for finding in &self.front.findings {
            let link = match finding.shown_in {
                Place::Figure => format!("[figure]({}.svg)", finding.figure),
                Place::Table => format!("[table](#{})", self.anchor(finding.figure)),
            };
            let _ = writeln!(page, "1. {} ({link})", plain(&finding.text));
        }
        let list = |page: &mut String, title: &str, lines: &[String]| {
            if !lines.is_empty() {
                let _ = write!(page, "\n**{title}.**\n\n");
                for line in lines {
                    let _ = writeln!(page, "- {}", plain(line));
                }
            }
        };
        if let Some(designs) = &self.front.designs {
            page.push('\n');
            rows(page, &designs.head, designs.rows.iter().map(|row| row.as_slice()));
            let _ = writeln!(page, "\n{}", plain(&designs.note));
        }
        list(page, "What cannot be told apart", &self.front.alike);
        list(page, "The machine", &self.front.machine);
        page.push_str(
            "\n[report.html](report.html), opened in a browser, has the same figures: servers can be \
             switched \
             on and off there, and every point shows the records behind it.",
        );
        if let Some(chapter) = &self.measuring {
            let _ = write!(
                page,
                " How the figures are made, and how far to believe them: [measuring.md]({chapter})."
            );
        }
        page.push('\n');
    }

    /// Of the heading above a figure, as repository browsers make it from the title.
    fn anchor(&self, id: &str) -> String {
        let figure = self.figures.iter().find(|figure| figure.id == id);
        let title = figure.map_or(String::new(), |figure| figure.title.to_lowercase());
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    }

    /// The picture and the table of a figure, and what it was drawn from.
    fn figure(&self, page: &mut String, figure: &Figure) {
        let title = plain(&figure.title);
        let _ = write!(page, "\n## {title}\n\n![{title}]({})\n", figure.file());
        let files: Vec<String> = figure.data.iter().map(|file| format!("[{file}]({file})")).collect();
        let _ = write!(page, "\nData: {}.\n", files.join(", "));
        let table = Table::of(figure).markdown();
        let about = plain(&figure.about);
        let _ = write!(page, "\n<details><summary>The figures</summary>\n\n{about}\n\n{table}\n</details>\n");
    }

    /// What became of the claims of the literature.
    fn claims(&self, page: &mut String) {
        if let Some(claims) = &self.front.claims {
            let (text, file) = (plain(&claims.text), claims.page);
            let _ = write!(page, "\n## The claims of the literature\n\n{text} [Their figures]({file}).\n");
            let _ = write!(page, "\n<details><summary>By claim</summary>\n\n");
            rows(page, &claims.head, claims.rows.iter().map(|row| row.as_slice()));
            page.push_str("\n</details>\n");
        }
    }

    /// What became dearer or cheaper since an earlier commit.
    fn then(&self, page: &mut String) {
        if let Some(then) = &self.front.then {
            let _ = write!(page, "\n## Then and now\n\n{}\n", plain(&then.text));
            let _ = write!(page, "\n<details><summary>By server</summary>\n\n");
            rows(page, &["server", "then", "now", "change"], then.rows.iter().map(|row| row.as_slice()));
            page.push_str("\n</details>\n");
        }
    }

    /// How everything was made: folded, since a reader seldom wants it.
    fn method(&self, page: &mut String) {
        page.push_str("\n## What was measured, when and how\n\n");
        rows(page, &self.front.columns, self.front.files.iter().map(|row| row.as_slice()));
        page.push_str(
            "\nDisturbed: measurements during which other programs used more than a tenth of a CPU. \
             Intervals: \
             from six rounds on, the rounds are drawn again 2,000 times, with replacement, and 95 % of the \
             medians \
             of these draws lie in the interval; of several runs, the runs are drawn again too; with fewer \
             rounds \
             it is the smallest and the largest.\n",
        );
        for state in &self.front.states {
            let _ = writeln!(page, "\n- {}", plain(state));
        }
        for (file, machine) in &self.front.machines {
            let _ = write!(page, "\n<details><summary>The machine of {}</summary>\n\n", plain(file));
            rows(page, &["", ""], machine.iter().map(|(what, value)| [what.clone(), value.clone()]));
            page.push_str("\n</details>\n");
        }
        // What the references ran with, so that it can be judged whether that was fair.
        for (name, text) in &self.front.configurations {
            let text = text.trim_end();
            let name = plain(name);
            let _ = write!(
                page,
                "\n<details><summary>What {name} ran with</summary>\n\n```\n{text}\n```\n\n</details>\n"
            );
        }
        let measure: Vec<&str> = self.front.measure.iter().map(String::as_str).collect();
        let _ = write!(
            page,
            "\n## Again\n\nCharts and pages:\n\n```sh\n{}\n```\n\nThe measurements:\n\n```sh\n{}\n```\n",
            self.front.again,
            measure.join("\n")
        );
    }
}

fn rows<R: AsRef<[String]>>(page: &mut String, head: &[&str], rows: impl Iterator<Item = R>) {
    let _ = write!(page, "| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let cells: Vec<String> = row.as_ref().iter().map(|cell| plain(cell)).collect();
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
}
