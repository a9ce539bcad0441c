// The job of bench/peers with Crawlee's CheerioCrawler.
//
//   node main.mjs URL OUT
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { CheerioCrawler, Configuration, log } from '@crawlee/cheerio';

const [start, out] = process.argv.slice(2);
const prefix = start.slice(0, start.lastIndexOf('/') + 1);
const unread = new Set(['script', 'style', 'template']);
const file = createWriteStream(out);
log.setLevel(log.LEVELS.ERROR);

const collapse = (text) => text.replace(/\s+/gu, ' ').trim();

function gather(node, into) {
    for (const child of node.children ?? []) {
        if (child.type === 'text') into.push(child.data);
        else if (!unread.has(child.name)) gather(child, into);
    }
    return into;
}

function read(request, $) {
    const links = new Set();
    $('a[href]').each((_, a) => {
        let url;
        try {
            url = new URL(a.attribs.href, request.url);
        } catch {
            return;
        }
        if (url.protocol === 'javascript:' || url.protocol === 'data:') return;
        url.hash = '';
        links.add(url.href);
    });
    const body = $('body')[0];
    return {
        url: request.url,
        title: collapse($('title').first().text()),
        h1: $('h1').map((_, h1) => collapse($(h1).text())).get(),
        links: [...links],
        text_length: body ? [...collapse(gather(body, []).join(''))].length : 0,
    };
}

const crawler = new CheerioCrawler({
    minConcurrency: 16,
    maxConcurrency: 16,
    maxRequestRetries: 0,
    useSessionPool: false,
    persistCookiesPerSession: false,
    respectRobotsTxtFile: false,
    additionalMimeTypes: ['*/*'],
    ignoreHttpErrorStatusCodes: [404],
    failedRequestHandler: () => {},
    async requestHandler({ request, response, contentType, $, crawler: self }) {
        if (response.statusCode !== 200 || contentType.type !== 'text/html') return;
        const row = read(request, $);
        if (!file.write(`${JSON.stringify(row)}\n`)) await once(file, 'drain');
        const next = row.links.filter((link) => link.startsWith(prefix));
        await self.addRequests(next, { waitForAllRequestsToBeAdded: true });
    },
}, new Configuration({ persistStorage: false, purgeOnStart: true, systemInfoV2: true }));

await crawler.run([start]);
file.end();
await once(file, 'finish');
