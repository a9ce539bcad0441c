"""The job of bench/peers with Scrapy.

scrapy runspider spider.py -a start=URL -O OUT.jsonl
"""

from urllib.parse import urldefrag, urljoin

import scrapy
from scrapy.http import HtmlResponse

TEXT = "//body//text()[not(ancestor::script or ancestor::style or ancestor::template)]"


def collapse(text):
    return " ".join(text.split())


class DocSite(scrapy.Spider):
    name = "docsite"
    custom_settings = {
        "CONCURRENT_REQUESTS": 16,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 16,
        "ROBOTSTXT_OBEY": False,
        "RETRY_ENABLED": False,
        "COOKIES_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "DOWNLOAD_MAXSIZE": 0,
        "DOWNLOAD_WARNSIZE": 0,
        "DEPTH_LIMIT": 0,
        "LOG_LEVEL": "WARNING",
        "FEED_EXPORT_ENCODING": "utf-8",
        "REQUEST_FINGERPRINTER_IMPLEMENTATION": "2.7",
    }

    def __init__(self, start, **kwargs):
        super().__init__(**kwargs)
        self.start = start
        self.prefix = start[: start.rindex("/") + 1]

    def start_requests(self):
        # Not start_urls: their requests pass the filter of duplicates unseen.
        yield scrapy.Request(self.start)

    def parse(self, response):
        if not isinstance(response, HtmlResponse):
            return
        links = {}  # keeps the order
        for href in response.xpath("//a/@href").getall():
            try:
                link = urldefrag(urljoin(response.url, href.strip())).url
            except ValueError:
                continue
            if not link.startswith(("javascript:", "data:")):
                links[link] = None
        yield {
            "url": response.url,
            "title": collapse("".join(response.xpath("(//title)[1]//text()").getall())),
            "h1": [collapse("".join(h1.xpath(".//text()").getall())) for h1 in response.xpath("//h1")],
            "links": list(links),
            "text_length": len(collapse("".join(response.xpath(TEXT).getall()))),
        }
        for link in links:
            if link.startswith(self.prefix):
                yield scrapy.Request(link)
