//! A picture that moves, shows a number to people and carries it for programs, as the page's own generated pictures do
//! (`forwarder/page/picture_code.js`).

use forwarder_tests::rtc::encode::{FRAMES, HEIGHT, WIDTH};

const WIDE: usize = WIDTH as usize;
const HIGH: usize = HEIGHT as usize;
/// Cells of the code in a row; two rows of bits, and two of the same inverted.
const COLUMNS: usize = 16;
const ROWS: usize = 4;
/// Where the code begins: it takes the lowest fifth.
const FLOOR: usize = HIGH - HIGH / 5;
/// Bits of the number of a frame.
const FRAME_BITS: u32 = 20;

/// Bars of a digit: top, upper left, upper right, middle, lower left, lower right, bottom; the lowest bit first.
const BARS: [u8; 10] = [0x77, 0x24, 0x5d, 0x6d, 0x2e, 0x6b, 0x7b, 0x25, 0x7f, 0x6f];
/// Where the bars are in units of a quarter of a digit's width: left, top, width, height.
const PLACES: [[usize; 4]; 7] = [
    [0, 0, 4, 1],
    [0, 0, 1, 4],
    [3, 0, 1, 4],
    [0, 3, 4, 1],
    [0, 3, 1, 4],
    [3, 3, 1, 4],
    [0, 6, 4, 1],
];
/// That quarter, in pixels.
const UNIT: usize = 16;

/// A frame of raw YUV 4:2:0.
pub fn draw(number: u16, frame: u32) -> Vec<u8> {
    let mut picture = Picture {
        bytes: vec![0; WIDE * HIGH * 3 / 2],
    };
    picture.colour(number);
    picture.sky();
    picture.ball(frame);
    picture.digits(number);
    picture.code(number, frame);
    picture.bytes
}

struct Picture {
    bytes: Vec<u8>,
}

impl Picture {
    /// Each number has a colour of its own; the code has none.
    fn colour(&mut self, number: u16) {
        let hue = f64::from(number) * 0.82;
        let shades = [128.0 + 45.0 * hue.cos(), 128.0 + 45.0 * hue.sin()];
        let (wide, high) = (WIDE / 2, HIGH / 2);
        let planes = self.bytes[WIDE * HIGH..].chunks_exact_mut(wide * high);
        for (plane, shade) in planes.zip(shades) {
            plane.fill(128);
            plane[..wide * (FLOOR / 2)].fill(shade as u8);
        }
    }

    fn sky(&mut self) {
        for y in 0..FLOOR {
            let shade = 60 + 80 * y / FLOOR;
            self.bar(0, y, WIDE, 1, shade as u8);
        }
    }

    /// It goes round once in a clip, so that the end meets the beginning.
    fn ball(&mut self, frame: u32) {
        const RADIUS: i64 = 42;
        let angle = f64::from(frame) / f64::from(FRAMES) * std::f64::consts::TAU;
        let x = (WIDE as f64 * (0.5 + 0.4 * angle.sin())) as i64;
        let y = (FLOOR as f64 * (0.5 + 0.3 * (angle * 3.0).cos())) as i64;
        for dy in -RADIUS..=RADIUS {
            let half = ((RADIUS * RADIUS - dy * dy) as f64).sqrt() as i64;
            let (left, top) = ((x - half).max(0) as usize, (y + dy).max(0) as usize);
            if top < FLOOR {
                self.bar(left, top, 2 * half as usize, 1, 210);
            }
        }
    }

    fn digits(&mut self, number: u16) {
        let text = number.to_string();
        let step = 6 * UNIT;
        let left = WIDE.saturating_sub(text.len() * step - 2 * UNIT) / 2;
        let top = (FLOOR - 7 * UNIT) / 2;
        let digits = text.bytes().map(|digit| usize::from(digit - b'0'));
        for (at, digit) in digits.enumerate() {
            for (bar, [x, y, wide, high]) in PLACES.iter().enumerate() {
                if BARS[digit] >> bar & 1 == 1 {
                    let (x, y) = (left + at * step + x * UNIT, top + y * UNIT);
                    self.bar(x, y, wide * UNIT, high * UNIT, 235);
                }
            }
        }
    }

    /// 32 bits, the highest first, and the same inverted.
    fn code(&mut self, number: u16, frame: u32) {
        let word = (u32::from(number) << FRAME_BITS) | (frame % (1 << FRAME_BITS));
        let (wide, high) = (WIDE / COLUMNS, (HIGH - FLOOR) / ROWS);
        for at in 0..COLUMNS * ROWS {
            let bit = word >> (31 - at % 32) & 1 == 1;
            let shade = if bit == (at < 32) { 235 } else { 16 };
            let (x, y) = (at % COLUMNS * wide, FLOOR + at / COLUMNS * high);
            self.bar(x, y, wide, high, shade);
        }
    }

    /// A rectangle of one shade.
    fn bar(&mut self, left: usize, top: usize, wide: usize, high: usize, shade: u8) {
        let right = (left + wide).min(WIDE);
        for y in top..(top + high).min(HIGH) {
            if let Some(row) = self.bytes.get_mut(y * WIDE + left..y * WIDE + right) {
                row.fill(shade);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `readPicture` of the page does it.
    fn read(picture: &[u8]) -> (u32, u32) {
        let cell = |at: usize| {
            let x = (at % COLUMNS * 2 + 1) * WIDE / COLUMNS / 2;
            let y = FLOOR + (at / COLUMNS * 2 + 1) * (HIGH - FLOOR) / ROWS / 2;
            picture[y * WIDE + x] > 127
        };
        let word = (0..32).fold(0_u32, |word, at| word << 1 | u32::from(cell(at)));
        assert!((0..32).all(|at| cell(at) != cell(at + 32)));
        (word >> FRAME_BITS, word % (1 << FRAME_BITS))
    }

    #[test]
    fn the_number_and_the_frame_are_read_back() {
        for (number, frame) in [(1, 0), (7, 1), (16, 299), (4095, 150)] {
            let picture = draw(number, frame);
            assert_eq!(picture.len(), WIDE * HIGH * 3 / 2);
            assert_eq!(read(&picture), (u32::from(number), frame));
        }
    }

    #[test]
    fn no_two_frames_are_alike() {
        assert_ne!(draw(3, 10), draw(3, 11));
    }
}
