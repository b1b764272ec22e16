//! Lays the dashboard out on the screen, at any size of the terminal.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Row, Sparkline, Table, TableState, Wrap};
use serde_json::Value;

use super::dashboard::{Dashboard, Mode};
use super::panes;
use crate::cli::output::print::one_line;
use crate::cli::service::processors;
use crate::cli::service::status;
use crate::models::{TaskStatus, Timestamp};

const BARS: u16 = 30;
const EVENTS: u16 = 5;
const MOST_PROCESSORS: u16 = 6;
/// Characters of an id, and the width from which the whole id fits.
const LONG_ID: u16 = 36;
const SHORT_ID: u16 = 13;
const WIDE: u16 = 110;
/// Below this height only the tasks are shown.
const SMALL: u16 = 16;

/// Draws the dashboard on a terminal of any size.
pub(crate) fn draw(frame: &mut Frame, dashboard: &Dashboard) {
    let [top, middle, bottom] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    head(frame, top, dashboard);
    match &dashboard.mode {
        Mode::Help => lines(frame, middle, panes::HELP.map(str::to_owned).to_vec()),
        Mode::Task { from } => task(frame, middle, dashboard, *from),
        _ => overview(frame, middle, dashboard),
    }
    frame.render_widget(foot(dashboard), bottom);
}

/// Draws the service's address, its state, its counts and its rate.
fn head(frame: &mut Frame, area: Rect, dashboard: &Dashboard) {
    let [name, state, counts, rate] = Layout::vertical([Constraint::Length(1); 4]).areas(area);
    let status = &dashboard.snapshot.status;
    let version = status["version"].as_str().unwrap_or_default();
    let url = &dashboard.snapshot.url;
    let text = one_line(&format!("venom {version}  {url}"));
    frame.render_widget(Line::from(text).bold(), name);
    frame.render_widget(queue_state(dashboard), state);
    if status.is_object() {
        frame.render_widget(Line::from(panes::counts(status)), counts);
    }
    if let Some((words, bars)) = panes::rate(&dashboard.snapshot.chart) {
        let [left, right] =
            Layout::horizontal([Constraint::Fill(1), Constraint::Length(BARS)]).areas(rate);
        frame.render_widget(Line::from(words), left);
        let newest = bars.len().saturating_sub(BARS.into());
        frame.render_widget(Sparkline::default().data(&bars[newest..]), right);
    }
}

/// Returns the state line: a lost connection, else a pause, else an open queue.
fn queue_state(dashboard: &Dashboard) -> Line<'static> {
    if let Some(error) = &dashboard.error {
        return Line::from(format!(" reconnecting: {} ", one_line(error)))
            .reversed()
            .red();
    }
    let status = &dashboard.snapshot.status;
    match (status.is_object(), dashboard.is_paused()) {
        (false, _) => Line::from("connecting …"),
        (true, false) => Line::from("queue open").green(),
        (true, true) => {
            let words = format!(" QUEUE {} ", status::queue(status));
            let line = Line::from(words).reversed();
            match status["pause"]["emergency_stop"] == true {
                true => line.red(),
                false => line.yellow(),
            }
        }
    }
}

/// Draws processors, tasks and events.
fn overview(frame: &mut Frame, area: Rect, dashboard: &Dashboard) {
    if area.height < SMALL {
        return tasks(frame, area, dashboard);
    }
    let rows = u16::try_from(dashboard.snapshot.processors.len()).unwrap_or(u16::MAX);
    let [above, middle, below] = Layout::vertical([
        Constraint::Length(rows.min(MOST_PROCESSORS) + 2),
        Constraint::Fill(1),
        Constraint::Length(EVENTS + 1),
    ])
    .areas(area);
    processors(frame, above, &dashboard.snapshot.processors);
    tasks(frame, middle, dashboard);
    events(frame, below, dashboard);
}

/// Draws the processors, the busiest first, because not all may fit.
fn processors(frame: &mut Frame, area: Rect, list: &[Value]) {
    let mut list: Vec<_> = list.iter().collect();
    let count = |it: &Value, name: &str| it[name].as_u64().unwrap_or(0);
    let work = |it: &&Value| count(it, "running").saturating_add(count(it, "pending"));
    list.sort_by_key(|it| std::cmp::Reverse(work(it)));
    let rows = list.into_iter().map(panes::processor).map(Row::new);
    let widths = [
        Constraint::Fill(2),
        Constraint::Length(8),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(9),
        Constraint::Length(7),
        Constraint::Fill(3),
    ];
    let head = Row::new(processors::HEADERS).style(Style::new().bold());
    frame.render_widget(Table::new(rows, widths).header(head), area);
}

fn tasks(frame: &mut Frame, area: Rect, dashboard: &Dashboard) {
    let [title, list] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let (now, status) = (Timestamp::now(), dashboard.snapshot.view.status);
    let rows = dashboard.snapshot.tasks.iter();
    let id = match list.width < WIDE {
        true => SHORT_ID,
        false => LONG_ID,
    };
    let row = |task| {
        let mut cells = panes::task(task, status, now);
        cells[0] = panes::end_of(&cells[0], id.into());
        Row::new(cells)
    };
    let rows = rows.map(row);
    let widths = [
        Constraint::Length(id),
        Constraint::Length(12),
        Constraint::Length(7),
        Constraint::Length(5),
        Constraint::Fill(1),
    ];
    let head = Row::new(panes::headers(status)).style(Style::new().bold());
    let table = Table::new(rows, widths)
        .header(head)
        .row_highlight_style(Style::new().reversed());
    let mut state = TableState::new().with_selected(Some(dashboard.selected));
    frame.render_widget(views(dashboard), title);
    frame.render_stateful_widget(table, list, &mut state);
}

/// Returns the tabs ` running  [pending]  failed  completed `, and the search text.
fn views(dashboard: &Dashboard) -> Line<'static> {
    let name = |status, word: &str| match status == dashboard.view.status {
        true => format!("[{word}]"),
        false => format!(" {word} "),
    };
    let mut words = [
        name(TaskStatus::Processing, "running"),
        name(TaskStatus::Pending, "pending"),
        name(TaskStatus::Failed, "failed"),
        name(TaskStatus::Completed, "completed"),
    ]
    .join(" ");
    if !dashboard.view.search.is_empty() {
        words += &format!("   search: {:?}", one_line(&dashboard.view.search));
    }
    Line::from(words).cyan()
}

fn events(frame: &mut Frame, area: Rect, dashboard: &Dashboard) {
    let room = usize::from(area.height.saturating_sub(1));
    let newest = dashboard.events.len().saturating_sub(room);
    let mut shown = vec![Line::from("EVENTS").bold()];
    let events = dashboard.events.iter().skip(newest);
    shown.extend(events.map(|event| Line::from(event.as_str())));
    frame.render_widget(Paragraph::new(shown), area);
}

fn task(frame: &mut Frame, area: Rect, dashboard: &Dashboard, from: usize) {
    let shown = match dashboard.detail() {
        Some(detail) => panes::detail(detail, Timestamp::now()),
        None => vec!["loading …".to_owned()],
    };
    let from = from.min(shown.len().saturating_sub(1));
    lines(frame, area, shown[from..].to_vec());
}

fn lines(frame: &mut Frame, area: Rect, lines: Vec<String>) {
    let lines: Vec<_> = lines.into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), area);
}

/// Returns the bottom line: an answer, a question, or the keys.
fn foot(dashboard: &Dashboard) -> Line<'static> {
    match (&dashboard.answer, &dashboard.mode) {
        (Some(words), _) => Line::from(one_line(words)).bold(),
        (None, Mode::Confirm(_, question)) => {
            Line::from(format!("{question} y confirms, any other key cancels")).bold()
        }
        (None, Mode::Search(words)) => Line::from(format!("search: {}▏", one_line(words))).bold(),
        (None, Mode::Task { .. }) => Line::from("Esc back   Up Down scroll   Ctrl-C quit").dim(),
        (None, Mode::Help) => Line::from("press any key to go back").dim(),
        (None, Mode::Tasks) => Line::from(
            "q quit  Enter details  Tab other tasks  / search  p pause or resume  ? help",
        )
        .dim(),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    use super::super::poll::{Snapshot, TaskDetail};
    use super::*;

    fn dashboard() -> Dashboard {
        Dashboard {
            snapshot: Snapshot {
                url: "http://x".to_owned(),
                status: json!({"paused": false, "pending": 1, "active": 1, "limit": 5}),
                processors: vec![
                    json!({"name": "echo", "kind": "echo", "running": 1, "pending": 1}),
                ],
                chart: json!({"step_seconds": 5, "points": [{"completed": 1}]}),
                tasks: vec![json!({"id": "T1", "processor": "echo", "attempt": 1,
                                   "max_attempts": 3, "progress": 0.4, "content": "words"})],
                task: Some(TaskDetail {
                    task: json!({"id": "T1", "logs": ["line"]}),
                    explanation: "It runs.".to_owned(),
                }),
                ..Snapshot::default()
            },
            ..Dashboard::default()
        }
    }

    fn drawn(dashboard: &Dashboard, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, dashboard)).unwrap();
        match width {
            // The test terminal cannot be printed without columns.
            0 => String::new(),
            _ => terminal.backend().to_string(),
        }
    }

    #[test]
    fn eighty_by_twenty_four_has_room_for_everything() {
        let mut dashboard = dashboard();
        dashboard
            .events
            .push_back("12:00:00 TASK_CREATED T1".to_owned());
        let shown = drawn(&dashboard, 80, 24);
        for part in [
            "http://x",
            "queue open",
            "running 1 of 5",
            "per second",
            "active",
            "[running]",
            "T1",
            "1 of 3",
            "40 % words",
            "TASK_CREATED",
            "? help",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }

    #[test]
    fn no_size_and_no_mode_is_too_much() {
        let mut dashboard = dashboard();
        dashboard.error = Some("gone".to_owned());
        for mode in [
            Mode::Tasks,
            Mode::Task { from: 500 },
            Mode::Help,
            Mode::Search("x".to_owned()),
        ] {
            dashboard.mode = mode;
            for (width, height) in [
                (0, 0),
                (0, 9),
                (1, 1),
                (3, 2),
                (20, 5),
                (80, 15),
                (300, 100),
            ] {
                drawn(&dashboard, width, height);
            }
            assert!(drawn(&dashboard, 80, 24).contains("reconnecting: gone"));
        }
        drawn(&Dashboard::default(), 80, 24);
    }

    #[test]
    fn no_answer_is_too_much() {
        let most = u64::MAX;
        let point = json!({"completed": most, "failed": most});
        let texts = [
            "x".repeat(70_000),
            " ".repeat(70_000),
            "日".repeat(70_000),
            "e\u{301}".repeat(70_000),
            format!("a{}", "\u{301}".repeat(70_000)),
            "👨\u{200d}".repeat(70_000),
        ];
        let mut answers: Vec<_> = texts.iter().map(|text| json!(text)).collect();
        answers.extend([
            json!(null),
            json!([]),
            json!(most),
            json!({"a": 1}),
            json!(true),
        ]);
        for it in &answers {
            let mut dashboard = dashboard();
            dashboard.snapshot.url = it.to_string();
            dashboard.snapshot.status = json!({"paused": true, "pending": it, "active": it, "limit": it, "tasks": it,
                "version": it, "pause": {"reason": it, "by": it, "since": it}});
            let names = [
                "name",
                "kind",
                "running",
                "pending",
                "concurrency",
                "rate",
                "paused",
            ];
            let processor: Value = names
                .iter()
                .map(|name| ((*name).to_owned(), it.clone()))
                .collect();
            let busy = json!({"name": "busy", "running": most, "pending": most});
            dashboard.snapshot.processors = vec![it.clone(), processor, busy];
            dashboard.snapshot.chart =
                json!({"step_seconds": 0, "points": [point, it, point, point]});
            let names = [
                "id",
                "status",
                "processor",
                "attempt",
                "content",
                "result",
                "error",
                "logs",
                "progress",
            ];
            let task: Value = names
                .iter()
                .map(|name| ((*name).to_owned(), it.clone()))
                .collect();
            dashboard.snapshot.tasks = vec![it.clone(), task.clone()];
            let why = it.as_str().unwrap_or_default().to_owned();
            dashboard.error = Some(why.clone());
            dashboard.events.push_back(why.clone());
            dashboard.snapshot.task = Some(TaskDetail {
                task,
                explanation: why,
            });
            for mode in [Mode::Tasks, Mode::Task { from: 0 }] {
                dashboard.mode = mode;
                for (width, height) in [(0, 0), (7, 3), (80, 24), (1000, 50)] {
                    drawn(&dashboard, width, height);
                }
            }
        }
    }

    #[test]
    fn a_pause_and_an_emergency_stop_have_a_banner() {
        let mut dashboard = dashboard();
        dashboard.snapshot.status = json!({"paused": true, "pause": {"reason": "lunch"}});
        assert!(drawn(&dashboard, 80, 24).contains("QUEUE paused: lunch"));
        dashboard.snapshot.status = json!({"paused": true, "pause": {"emergency_stop": true}});
        assert!(drawn(&dashboard, 80, 24).contains("QUEUE stopped by an emergency stop"));
    }

    #[test]
    fn a_task_is_shown_in_detail() {
        let mut dashboard = dashboard();
        dashboard.mode = Mode::Task { from: 0 };
        let shown = drawn(&dashboard, 80, 24);
        assert!(
            shown.contains("It runs.") && shown.contains("  line"),
            "{shown}"
        );
    }
}
