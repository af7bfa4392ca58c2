//! As much of ISO 14496-12 as says that a file is a video and how long it is. The file is the uploader's: each length in
//! it is checked against what is there before it is used.

/// Why a file is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAVideo {
    #[error("is not an MP4 file")]
    NotMp4,
    #[error("ends in the middle")]
    Truncated,
    #[error("has no picture")]
    NoVideoTrack,
    #[error("does not say how long it is")]
    NoDuration,
    #[error("is longer than 4 hours")]
    TooLong,
}

const LONGEST_SEC: u64 = 4 * 3600;

/// The whole seconds of an MP4, at least 1: a file type box first, a movie with a video track, and the picture data.
pub fn duration_sec(file: &[u8]) -> Result<u32, NotAVideo> {
    if file.get(4..8) != Some(b"ftyp") {
        return Err(NotAVideo::NotMp4);
    }
    let mut movie = None;
    let mut data = false;
    for item in Boxes(file) {
        let (kind, body) = item?;
        match &kind {
            b"moov" => movie = Some(body),
            b"mdat" => data |= !body.is_empty(),
            _ => {}
        }
    }
    let movie = movie.ok_or(NotAVideo::Truncated)?;
    if !data {
        return Err(NotAVideo::Truncated);
    }
    if !has_video(movie)? {
        return Err(NotAVideo::NoVideoTrack);
    }
    let header = find(movie, *b"mvhd")?.ok_or(NotAVideo::NoDuration)?;
    let seconds = header_seconds(header).ok_or(NotAVideo::NoDuration)?;
    if seconds > LONGEST_SEC {
        return Err(NotAVideo::TooLong);
    }
    u32::try_from(seconds.max(1)).map_err(|_| NotAVideo::TooLong)
}

/// The movie's duration in its own time scale; all ones means unknown.
fn header_seconds(header: &[u8]) -> Option<u64> {
    let (scale, length) = match header.first()? {
        0 => {
            let length = number(header, 16, 4)?;
            (
                number(header, 12, 4)?,
                if length == u64::from(u32::MAX) { return None } else { length },
            )
        }
        1 => {
            let length = number(header, 24, 8)?;
            (number(header, 20, 4)?, if length == u64::MAX { return None } else { length })
        }
        _ => return None,
    };
    if length == 0 { None } else { length.checked_div(scale) }
}

fn has_video(movie: &[u8]) -> Result<bool, NotAVideo> {
    for item in Boxes(movie) {
        let (kind, track) = item?;
        if &kind != b"trak" {
            continue;
        }
        let Some(media) = find(track, *b"mdia")? else { continue };
        let handler = find(media, *b"hdlr")?;
        if handler.and_then(|handler| handler.get(8..12)) == Some(b"vide") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn find(body: &[u8], wanted: [u8; 4]) -> Result<Option<&[u8]>, NotAVideo> {
    for item in Boxes(body) {
        let (kind, body) = item?;
        if kind == wanted {
            return Ok(Some(body));
        }
    }
    Ok(None)
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// The boxes of a body, one after the other. Each takes at least eight bytes, so a walk ends.
struct Boxes<'a>(&'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<([u8; 4], &'a [u8]), NotAVideo>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let item = self.split();
        if item.is_none() {
            self.0 = &[];
        }
        Some(item.ok_or(NotAVideo::Truncated))
    }
}

impl<'a> Boxes<'a> {
    fn split(&mut self) -> Option<([u8; 4], &'a [u8])> {
        let kind = self.0.get(4..8)?.try_into().ok()?;
        let (header, size) = match number(self.0, 0, 4)? {
            0 => (8, self.0.len()),
            1 => (16, usize::try_from(number(self.0, 8, 8)?).ok()?),
            size => (8, usize::try_from(size).ok()?),
        };
        let body = self.0.get(header..size)?;
        self.0 = self.0.get(size..)?;
        Some((kind, body))
    }
}

#[cfg(test)]
mod tests {
    use super::{NotAVideo, duration_sec};

    const DEMO: &[u8] = include_bytes!("../../../../demo/safety-video.mp4");

    #[test]
    fn the_demo_video_is_forty_seconds_long() {
        assert_eq!(duration_sec(DEMO), Ok(40));
    }

    #[test]
    fn what_is_no_mp4_is_refused() {
        for file in [&b""[..], b"ftyp", b"GIF89a....", b"<html>....</html>", &[0; 64]] {
            assert_eq!(duration_sec(file), Err(NotAVideo::NotMp4));
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_refused_without_a_panic() {
        for end in (0..DEMO.len()).step_by(97) {
            assert!(duration_sec(&DEMO[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn any_altered_byte_of_the_header_is_survived() {
        let mut file = DEMO.to_vec();
        for at in 0..file.len().min(4096) {
            for value in [0, 1, 0x7f, 0xff] {
                let was = std::mem::replace(&mut file[at], value);
                if let Ok(seconds) = duration_sec(&file) {
                    assert!((1..=4 * 3600).contains(&seconds));
                }
                file[at] = was;
            }
        }
    }

    #[test]
    fn a_length_that_overflows_is_refused() {
        let mut file = DEMO[..32].to_vec();
        file.extend_from_slice(&1_u32.to_be_bytes());
        file.extend_from_slice(b"moov");
        file.extend_from_slice(&u64::MAX.to_be_bytes());
        assert_eq!(duration_sec(&file), Err(NotAVideo::Truncated));
    }

    #[test]
    fn a_movie_without_a_picture_is_refused() {
        let file: Vec<u8> = DEMO.to_vec();
        let at = file.windows(4).position(|window| window == b"vide").unwrap();
        let mut file = file;
        file[at..at + 4].copy_from_slice(b"soun");
        assert_eq!(duration_sec(&file), Err(NotAVideo::NoVideoTrack));
    }
}
