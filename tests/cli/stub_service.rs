//! A stand-in for a service: it gives prepared answers and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

/// The head after the protocol's name, such as `200 OK`, with further lines, and the body.
pub type Answer = (&'static str, &'static str);

/// It ends after its last answer.
pub struct Canned {
    pub url: String,
    requests: JoinHandle<Vec<String>>,
}

impl Canned {
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers: Vec<_> = answers.into_iter().collect();
        let requests = std::thread::spawn(move || {
            let serve = |answer| serve(&listener.accept().unwrap().0, answer);
            answers.into_iter().map(serve).collect()
        });
        Self { url, requests }
    }

    /// What was asked: `GET /path`, and the body after a blank if there was one.
    #[track_caller]
    pub fn requests(self) -> Vec<String> {
        self.requests.join().unwrap()
    }
}

fn serve(mut stream: &TcpStream, (head, body): Answer) -> String {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut request = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        match line.to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.trim().parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let mut sent = vec![0; length];
    reader.read_exact(&mut sent).unwrap();
    if length > 0 {
        request.push(' ');
        request.push_str(&String::from_utf8(sent).unwrap());
    }
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).unwrap();
    request
}
