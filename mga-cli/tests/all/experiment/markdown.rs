//! What the pages of the documentation show: blocks of code, and commands.

use std::path::Path;

/// A block of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The page, below the repository's root.
    pub(crate) page: String,
    /// The line it begins at, from 1.
    pub(crate) line: usize,
    /// What stands behind the fence: `toml`, `sh`; empty for a block that is indented.
    pub(crate) language: String,
    pub(crate) text: String,
}

/// Every page of the documentation with its text.
pub(crate) fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut names = vec!["README.md".to_owned(), "experiments/README.md".to_owned()];
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().file_name());
    names.extend(docs.map(|name| format!("docs/{}", name.to_string_lossy())).filter(|name| name.ends_with(".md")));
    names.sort();
    let text = |name: String| (name.clone(), std::fs::read_to_string(root.join(&name)).unwrap());
    names.into_iter().map(text).collect()
}

/// The blocks of a page, in their order.
pub(crate) fn blocks(page: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = vec![];
    let mut fence: Option<String> = None;
    let mut after_blank = true;
    for (number, line) in text.lines().enumerate() {
        let new = |language: &str| Block {
            page: page.to_owned(),
            line: number + 1,
            language: language.to_owned(),
            text: String::new(),
        };
        let indented = line.strip_prefix("    ");
        match (&fence, line.trim_start().strip_prefix("```")) {
            (Some(_), Some(_)) => fence = None,
            (None, Some(language)) => {
                fence = Some(language.trim().to_owned());
                blocks.push(new(language.trim()));
            }
            (Some(_), None) => push(&mut blocks, line),
            (None, None) => {
                if let Some(code) = indented {
                    let goes_on = blocks.last().is_some_and(|block| {
                        block.language.is_empty() && block.line + block.text.lines().count() == number + 1
                    });
                    if !goes_on && after_blank {
                        blocks.push(new(""));
                    }
                    if goes_on || after_blank {
                        push(&mut blocks, code);
                    }
                }
            }
        }
        after_blank = line.trim().is_empty();
    }
    blocks
}

fn push(blocks: &mut [Block], line: &str) {
    if let Some(block) = blocks.last_mut() {
        block.text.push_str(line);
        block.text.push('\n');
    }
}

/// A command of a page, as words of a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) page: String,
    pub(crate) line: usize,
    /// Variables of the environment before it.
    pub(crate) variables: Vec<(String, String)>,
    /// The words behind `mga`.
    pub(crate) words: Vec<String>,
}

/// The command that `text` is, if it is one of mga: `NAME=VALUE mga ...`, or `cargo run ... -- ...`.
pub(crate) fn command(page: &str, line: usize, text: &str) -> Option<Command> {
    let mut words = shell_words(text);
    let is_variable = |word: &String| {
        let name = word.split('=').next().unwrap_or_default();
        word.contains('=') && !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    };
    let assignments = words.iter().take_while(|word| is_variable(word)).count();
    let variables = words.drain(..assignments).filter_map(|word| {
        let (name, value) = word.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    let variables = variables.collect();
    let skipped = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["mga", _, ..] => 1,
        ["cargo", "run", ..] => 1 + words.iter().position(|word| word == "--")?,
        _ => return None,
    };
    let words = words.split_off(skipped);
    (!words.is_empty()).then(|| Command { page: page.to_owned(), line, variables, words })
}

/// Words as a shell takes them: quotes, and `#` at the beginning of a word ends the line, as `|` and `>` do.
fn shell_words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (vec![], None::<String>, None);
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None if c == '#' && word.is_none() => break,
            None if c == '|' || c == '>' => break,
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Every command of a page's blocks.
pub(crate) fn commands(page: &str, text: &str) -> Vec<Command> {
    let lines = blocks(page, text).into_iter().filter(|block| ["", "sh"].contains(&block.language.as_str()));
    let lines = lines.flat_map(|block| {
        // A fence takes a line of its own.
        let first = block.line + usize::from(!block.language.is_empty());
        let numbered = block.text.lines().enumerate().map(move |(at, line)| (first + at, line.to_owned()));
        numbered.collect::<Vec<_>>()
    });
    lines.filter_map(|(number, line)| command(page, number, &line)).collect()
}

/// Every command within a page's sentences and tables, `` `mga eval RUN` ``.
pub(crate) fn inline_commands(page: &str, text: &str) -> Vec<Command> {
    let coded = text.lines().enumerate().filter(|(_, line)| !line.starts_with("    ")).flat_map(|(number, line)| {
        let spans = line.split('`').skip(1).step_by(2);
        spans.filter_map(move |code| command(page, number + 1, code)).collect::<Vec<_>>()
    });
    coded.collect()
}

#[test]
fn blocks_and_commands_are_found() {
    let page = "Text `mga list` and `mga data check`.\n\n    mga train x.toml --set 'a.b=\"c d\"'  # why\n    A_B=1 mga eval RUN\n\n```toml\n[a]\n    b = 1\n```\n\
                ```sh\ncargo run --release -- check y | less\nls\n```\n";
    let blocks = blocks("p.md", page);
    let seen: Vec<_> = blocks.iter().map(|block| (block.line, block.language.as_str(), block.text.as_str())).collect();
    assert_eq!(seen[1], (6, "toml", "[a]\n    b = 1\n"));
    assert_eq!((seen.len(), seen[0].0, seen[2].0), (3, 3, 10));
    let commands = commands("p.md", page);
    let words: Vec<_> = commands.iter().map(|command| (command.line, command.words.join("|"))).collect();
    assert_eq!(
        words,
        [(3, "train|x.toml|--set|a.b=\"c d\"".to_owned()), (4, "eval|RUN".to_owned()), (11, "check|y".to_owned())]
    );
    assert_eq!(commands[1].variables, [("A_B".to_owned(), "1".to_owned())]);
    let inline = inline_commands("p.md", page);
    assert_eq!(inline.iter().map(|command| command.words.join(" ")).collect::<Vec<_>>(), ["list", "data check"]);
}
