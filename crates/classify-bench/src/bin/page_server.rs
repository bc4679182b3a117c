//! Serves a list of jobs over loopback, with the same bytes for every client: `page_server PAGES JOBS_PER_PAGE`.
//!
//! All responses are built before the first request, so that only the client is measured. Prints the base URL and runs
//! until it is killed.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use classify_bench::fixtures::{RuleSharing, page_of};

fn main() -> io::Result<()> {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse());
    let (Some(Ok(pages)), Some(Ok(jobs))) = (numbers.next(), numbers.next()) else {
        return Err(io::Error::other("page_server PAGES JOBS_PER_PAGE"));
    };
    let responses: Arc<[Vec<u8>]> = (0..pages).map(|page| response(page, pages, jobs)).collect();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("http://{}", listener.local_addr()?);
    io::stdout().flush()?;
    for stream in listener.incoming() {
        let (stream, responses) = (stream?, Arc::clone(&responses));
        // A client that closes the connection early ends only its own thread.
        thread::spawn(move || serve(&stream, &responses));
    }
    Ok(())
}

fn response(page: usize, pages: usize, jobs: usize) -> Vec<u8> {
    let next = (page + 1 < pages).then(|| format!("p{}", page + 1));
    let body = page_of(
        page * jobs..(page + 1) * jobs,
        RuleSharing::Shared,
        next.as_deref(),
    );
    let length = body.len();
    let print_table_header = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    [print_table_header.as_bytes(), &body].concat()
}

fn serve(stream: &TcpStream, responses: &[Vec<u8>]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(request_line) = lines.next() {
        let page = requested_page(&request_line?);
        // Requests have no body, so the head ends the request.
        for line in lines.by_ref() {
            if line?.is_empty() {
                break;
            }
        }
        let response = page.and_then(|page| responses.get(page));
        let not_found = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        (&mut &*stream).write_all(response.map_or(not_found.as_slice(), Vec::as_slice))?;
    }
    Ok(())
}

/// Returns the page that is requested by a request line such as `GET /api/v2/classify?page_token=p7 HTTP/1.1` asks for.
fn requested_page(line: &str) -> Option<usize> {
    let target = line.strip_prefix("GET /api/v2/classify")?;
    let Some((_, token)) = target.split_once("page_token=p") else {
        return Some(0);
    };
    let digits = token.split(['&', ' ']).next()?;
    digits.parse().ok()
}
