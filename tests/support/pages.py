"""What stands on an HTML page, for tests that read it as text."""

import html.parser


class Reader(html.parser.HTMLParser):
    """Collects headings, tables, paragraphs and pictures.

    Attributes:
      headings: (level, text) in order.
      tables: by caption, a list of rows, the head first; a cell is its text, with the classes of
        what marks it in brackets.
      alts: the words for the pictures.
      text: everything that is read, with single spaces.
    """

    def __init__(self, text):
        super().__init__()
        self.headings, self.tables, self.alts = [], {}, []
        self._open, self._words, self._rows = [], [], []
        self.feed(text)
        self.text = ' '.join(' '.join(self._words).split())

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == 'img':
            self.alts.append(given['alt'])
        elif tag == 'table':
            self._rows = []
        elif tag == 'figcaption':
            self._caption = ''
        elif tag == 'tr':
            self._rows.append([])
        elif tag in ('td', 'th'):
            self._rows[-1].append('')
        elif tag in ('h1', 'h2', 'h3'):
            self.headings.append([int(tag[1]), ''])
        if tag == 'span' and given.get('class') not in (None, 'said') and self._rows:
            self._rows[-1][-1] += ''.join(f'[{mark}]' for mark in given['class'].split())
        if tag not in ('img', 'meta', 'link'):
            self._open.append((tag, given.get('class')))

    def handle_endtag(self, tag):
        if tag == 'table':
            self.tables[self._caption] = self._rows
            self._rows = []
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        tags = [tag for tag, _ in self._open]
        if 'style' in tags or 'said' in [kind for _, kind in self._open]:
            return
        self._words.append(data)
        if 'figcaption' in tags:
            self._caption += data
        elif {'td', 'th'} & set(tags):
            self._rows[-1][-1] += data.strip()
        elif tags and tags[-1] in ('h1', 'h2', 'h3'):
            self.headings[-1][1] += data
