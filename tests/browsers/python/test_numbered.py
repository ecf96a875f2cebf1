"""`python3 -m unittest` in this folder: what a reader takes for a picture, and what it does not."""

import unittest

import numbered

SIZE = numbered.READ_WIDTH, numbered.READ_HEIGHT


def read(*pictures):
    reader = numbered.Reader()
    for picture in pictures:
        reader.picture(picture, numbered.READ_WIDTH)
    return reader


class Reading(unittest.TestCase):
    def test_a_picture_is_read(self):
        for stream, number in [(0, 0), (7, 1234), (63, numbered.NUMBERS - 1)]:
            reader = read(numbered.luma(stream, number, *SIZE))
            self.assertEqual((reader.stream, reader.latest), (stream, number))

    def test_a_torn_picture_is_not_wherever_it_is_torn(self):
        new, old = (numbered.luma(7, number, *SIZE) for number in (1235, 1234))
        for row in range(1, numbered.ROWS):
            cut = row * len(new) // numbered.ROWS
            reader = read(new[:cut] + old[cut:])
            self.assertEqual((reader.read, reader.unreadable), (0, 1), row)

    def test_a_picture_in_one_colour_is_not(self):
        for grey in (0, 16, 128, 235):
            self.assertEqual(read(bytes([grey]) * (SIZE[0] * SIZE[1])).unreadable, 1)

    def test_the_order_is_known_across_the_wrap(self):
        last = numbered.NUMBERS - 1
        pictures = [numbered.luma(7, number, *SIZE) for number in (last, 0, 0, 1)]
        self.assertEqual(read(*pictures).backwards, 0)
        self.assertEqual(read(*reversed(pictures)).backwards, 2)

    def test_a_tone_is_heard_across_a_gap(self):
        ear = numbered.Ear()
        tone = numbered.tone(1000, numbered.AUDIO_RATE, 0)
        ear.hear(tone[:20000])
        ear.hear([0] * 960)
        ear.hear(tone[20000:])
        self.assertAlmostEqual(ear.frequency(), 1000, delta=2)


if __name__ == "__main__":
    unittest.main()
