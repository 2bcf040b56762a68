"""Reports in a real browser: nothing is fetched, nothing fails, all is seen, on a phone as well."""

import itertools
import json
import os
import shutil

import pytest
from run_folders import eval_row, train_row, write_pictures, write_run

from garden.cli.launch import main

FLAGS = (
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
)
DESKTOP, PHONE = (1280, 900), (360, 740)
# The smallest letters of the page, in CSS pixels.
SMALLEST = """
const sizes = [...document.querySelectorAll('body *')]
    .filter(e => [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()))
    .map(e => parseFloat(getComputedStyle(e).fontSize));
return Math.min(...sizes);
"""


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    """Debian's Chromium, with a profile of its own and a record of what it asks for."""
    programs = [shutil.which(name) for name in ('chromium', 'chromedriver')]
    if None in programs:
        said = 'no browser: Debian has it in the packages chromium and chromium-driver'
        if os.environ.get('CI') == 'true':
            pytest.fail(said)
        pytest.skip(said)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location, driver = programs
    for flag in (*FLAGS, f'--user-data-dir={tmp_path_factory.mktemp("profile")}'):
        options.add_argument(flag)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    yield browser
    browser.quit()


@pytest.fixture(scope='module')
def reports(tmp_path_factory):
    """Returns the pages of one run and of two, with everything on them that a page can have."""
    folder = tmp_path_factory.mktemp('reports')
    for name, rate in (('one', 0.1), ('another_run_with_a_long_name', 0.30000000000000004)):
        rows = [train_row(step, long_name_of_a_metric=step) for step in range(10, 110, 10)]
        rows += [eval_row(50), {**train_row(110), 'loss': None}, eval_row(110)]
        run = write_run(folder / name, rows, rate=rate, steps=110)
        with (run / 'config.gin').open('a') as file:
            file.write(f'x.names = {["a_rather_long_name"] * 20}\n')
        write_pictures(run, [50, 80, 110])
    runs = sorted(map(str, folder.iterdir()))
    assert main(['report', runs[0], f'--output={folder / "of_one"}']) == 0
    assert main(['report', *runs, f'--output={folder / "of_two"}']) == 0
    return folder


@pytest.fixture(params=['of_one', 'of_two'])
def show(request, browser, reports):
    """Returns a function that opens a page at a size, with all that is folded opened."""

    def open_at(size):
        metrics = {'width': size[0], 'height': size[1], 'deviceScaleFactor': 1}
        metrics['mobile'] = size == PHONE
        browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
        for kind in ('browser', 'performance'):
            browser.get_log(kind)  # Is emptied by being read.
        browser.get((reports / request.param / 'index.html').as_uri())
        browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
        return browser

    return open_at


def test_it_opens_without_a_network_and_without_an_error(show):
    browser = show(DESKTOP)
    assert browser.get_log('browser') == []
    messages = [json.loads(entry['message'])['message'] for entry in browser.get_log('performance')]
    asked = [
        message['params']['request']['url']
        for message in messages
        if message['method'] == 'Network.requestWillBeSent'
    ]
    assert asked[0].startswith('file:')
    assert all(url.startswith('data:') for url in asked[1:])


def test_every_picture_is_seen(show):
    browser = show(DESKTOP)
    sizes = browser.execute_script(
        'return [...document.images].map(i => [i.naturalWidth, i.width, i.height, i.alt])'
    )
    assert len(sizes) >= 6
    assert all(natural and width and height and alt for natural, width, height, alt in sizes)


def test_headings_are_in_order_and_contents_lead_somewhere(show):
    browser = show(DESKTOP)
    levels = browser.execute_script(
        "return [...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    lost = browser.execute_script(
        "return [...document.querySelectorAll('nav a')]"
        '.filter(a => !document.querySelector(a.hash)).map(a => a.hash)'
    )
    assert lost == []


@pytest.mark.parametrize('size', [DESKTOP, PHONE])
def test_it_is_as_wide_as_the_screen_and_can_be_read(show, size):
    browser = show(size)
    width, inner = browser.execute_script(
        'return [document.documentElement.scrollWidth, window.innerWidth]'
    )
    assert inner == size[0]
    assert width <= inner
    assert browser.execute_script(SMALLEST) >= 14
    # What is wider than the screen is scrolled in a box of its own.
    outside = browser.execute_script("""
        const box = '.scroll, .strip, pre, .said';
        return [...document.querySelectorAll('body *')]
            .filter(e => !e.closest(box) && e.getBoundingClientRect().right > innerWidth + 1)
            .map(e => e.outerHTML.slice(0, 80));
    """)
    assert outside == []
