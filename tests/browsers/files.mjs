// Serves a folder over loopback. An address on loopback is a secure context, which cameras and crypto ask for.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8' };

// Starts at any free port; gives the address of the folder.
export function serve(folder) {
  const server = createServer(async (request, response) => {
    const name = new URL(request.url, 'http://localhost').pathname.slice(1) || 'index.html';
    const type = TYPES[extname(name)];
    try {
      if (!/^[a-z]+\.[a-z]+$/.test(name) || !type) throw new Error('not served');
      const bytes = await readFile(new URL(name, folder));
      response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}/`));
  });
}
