//! Requests as fast as they are answered, for `make bench`: `load ADDRESS PATH BODIES REQUESTS CONNECTIONS` prints
//! `{"requests": …, "failed": …, "wall_s": …, "p50_us": …, "p99_us": …, "max_us": …}`.
//!
//! BODIES is a file with one JSON body a line; each connection sends one request after another and reads its answer.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

/// What one connection saw: times in microseconds, and answers other than 200.
struct Seen {
    times_us: Vec<f64>,
    failed: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, path, bodies, n_requests, n_connections] = args.as_slice() else {
        return Err("usage: load ADDRESS PATH BODIES REQUESTS CONNECTIONS".into());
    };
    let (n_requests, n_connections): (usize, usize) = (n_requests.parse()?, n_connections.parse()?);
    let requests: Vec<Vec<u8>> =
        std::fs::read_to_string(bodies)?.lines().map(|body| request(address, path, body)).collect();
    let started = Instant::now();
    let seen = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..n_connections)
            .map(|first| {
                let requests = &requests;
                scope.spawn(move || {
                    let mine = (0..n_requests / n_connections)
                        .map(|k| &requests[(first + k * n_connections) % requests.len()]);
                    converse(address, mine).map_err(|err| err.to_string())
                })
            })
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|_| Err("a thread fell".to_owned())))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let wall_s = started.elapsed().as_secs_f64();
    let mut times_us: Vec<f64> = seen.iter().flat_map(|seen| seen.times_us.iter().copied()).collect();
    times_us.sort_by(f64::total_cmp);
    let at = |share: f64| times_us[((times_us.len() - 1) as f64 * share) as usize];
    let failed: usize = seen.iter().map(|seen| seen.failed).sum();
    writeln!(
        std::io::stdout(),
        "{{\"requests\": {}, \"failed\": {failed}, \"wall_s\": {wall_s:.3}, \"p50_us\": {:.0}, \"p99_us\": {:.0}, \"max_us\": {:.0}}}",
        times_us.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    )?;
    Ok(())
}

fn request(address: &str, path: &str, body: &str) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n");
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn converse<'a>(address: &str, requests: impl Iterator<Item = &'a Vec<u8>>) -> Result<Seen, Box<dyn Error>> {
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    stream.get_ref().set_nodelay(true)?;
    let mut seen = Seen { times_us: Vec::new(), failed: 0 };
    let (mut line, mut body) = (String::new(), Vec::new());
    for request in requests {
        let started = Instant::now();
        stream.get_mut().write_all(request)?;
        line.clear();
        stream.read_line(&mut line)?;
        seen.failed += usize::from(!line.starts_with("HTTP/1.1 200 "));
        let mut length = 0;
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Err("the connection was closed".into());
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        body.resize(length, 0);
        stream.read_exact(&mut body)?;
        seen.times_us.push(started.elapsed().as_secs_f64() * 1e6);
    }
    Ok(seen)
}
