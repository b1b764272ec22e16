//! Colours and text attributes: reads every notation, writes one.

use std::fmt::Write as _;

/// The look of a character. Attributes that hide it are not supported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    flags: u8,
    foreground: Option<Color>,
    background: Option<Color>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Color {
    /// A colour of the 256-colour palette; the first 16 are set by the terminal.
    Indexed(u8),
    Rgb(u8, u8, u8),
}

/// The codes of bold, dim, italic, underlined, inverse and struck through.
const FLAGS: [u8; 6] = [1, 2, 3, 4, 7, 9];

impl Style {
    /// Returns the style after a sequence with these parameters; unknown codes are ignored.
    pub(crate) fn after(mut self, parameters: &str) -> Self {
        let mut groups = parameters.split(';');
        while let Some(group) = groups.next() {
            let mut parts = group.split(':');
            let Ok(code) =
                parts
                    .next()
                    .unwrap_or_default()
                    .parse()
                    .or_else(|error| match group.is_empty() {
                        true => Ok(0),
                        false => Err(error),
                    })
            else {
                continue;
            };
            match code {
                38 | 48 => {
                    let parts: Vec<_> = parts.collect();
                    let color = match parts.is_empty() {
                        true => color_in(&mut groups),
                        // `38:2::R:G:B` has an empty colour space before the three.
                        false => {
                            let values = parts.iter().copied().filter(|part| !part.is_empty());
                            color_in(&mut values.into_iter())
                        }
                    };
                    if let Some(color) = color {
                        match code {
                            38 => self.foreground = Some(color),
                            _ => self.background = Some(color),
                        }
                    }
                }
                4 if parts.next() == Some("0") => self.clear(&[4]),
                _ => self.set(code),
            }
        }
        self
    }

    fn set(&mut self, code: u8) {
        match code {
            0 => *self = Self::default(),
            21 => self.clear(&[1]),
            22 => self.clear(&[1, 2]),
            23 => self.clear(&[3]),
            24 => self.clear(&[4]),
            27 => self.clear(&[7]),
            29 => self.clear(&[9]),
            30..=37 => self.foreground = Some(Color::Indexed(code - 30)),
            39 => self.foreground = None,
            40..=47 => self.background = Some(Color::Indexed(code - 40)),
            49 => self.background = None,
            90..=97 => self.foreground = Some(Color::Indexed(code - 90 + 8)),
            100..=107 => self.background = Some(Color::Indexed(code - 100 + 8)),
            _ => self.flags |= bit(code),
        }
    }

    fn clear(&mut self, codes: &[u8]) {
        for code in codes {
            self.flags &= !bit(*code);
        }
    }

    /// Writes the sequence that changes `before` to this style.
    pub(crate) fn write(self, before: Self, text: &mut String) {
        if self == before {
            return;
        }
        text.push_str("\u{1b}[0");
        for code in FLAGS
            .into_iter()
            .filter(|code| self.flags & bit(*code) != 0)
        {
            let _ = write!(text, ";{code}");
        }
        for (base, color) in [(30, self.foreground), (40, self.background)] {
            let _ = match color {
                None => Ok(()),
                Some(Color::Indexed(number @ 0..=7)) => write!(text, ";{}", base + number),
                Some(Color::Indexed(number @ 8..=15)) => write!(text, ";{}", base + 52 + number),
                Some(Color::Indexed(number)) => write!(text, ";{};5;{number}", base + 8),
                Some(Color::Rgb(red, green, blue)) => {
                    write!(text, ";{};2;{red};{green};{blue}", base + 8)
                }
            };
        }
        text.push('m');
    }
}

fn bit(code: u8) -> u8 {
    let place = FLAGS.iter().position(|flag| *flag == code);
    place.map_or(0, |place| 1 << place)
}

/// Reads `5;N` or `2;R;G;B`.
fn color_in<'a>(values: &mut impl Iterator<Item = &'a str>) -> Option<Color> {
    let mut next = || values.next()?.parse::<u8>().ok();
    match next()? {
        5 => Some(Color::Indexed(next()?)),
        2 => Some(Color::Rgb(next()?, next()?, next()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_becomes_one() {
        for (sequences, written) in [
            (&["31"][..], "\u{1b}[0;31m"),
            (&["1;31;44"], "\u{1b}[0;1;31;44m"),
            (&["91", "104"], "\u{1b}[0;91;104m"),
            (&["38;5;208"], "\u{1b}[0;38;5;208m"),
            (&["38;5;9"], "\u{1b}[0;91m"),
            (&["48;2;1;2;3;1"], "\u{1b}[0;1;48;2;1;2;3m"),
            (&["38:2::1:2:3"], "\u{1b}[0;38;2;1;2;3m"),
            (&["4:3"], "\u{1b}[0;4m"),
            (&["1", "22", "31", "39"], ""),
            (&["31", ""], ""),
            (&["31;0"], ""),
            // What hides or blinks, and what is no number.
            (&["8", "5", "?25", "999", "38;9"], ""),
        ] {
            let style = sequences
                .iter()
                .fold(Style::default(), |style, it| style.after(it));
            let mut text = String::new();
            style.write(Style::default(), &mut text);
            assert_eq!(text, written, "{sequences:?}");
        }
        let mut text = String::new();
        Style::default().write(Style::default().after("31"), &mut text);
        assert_eq!(text, "\u{1b}[0m");
    }
}
