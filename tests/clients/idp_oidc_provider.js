// An identity provider that is not ours (oidc-provider) and a browser for its pages. Prints where it is; then one answer for each line
// `log-in URL` or `say-no URL` of its input.
'use strict';
const http = require('node:http');
const { pathToFileURL } = require('node:url');
const readline = require('node:readline');

// The provider talks a lot; standard output is for answers.
console.info = console.error;

async function provider(issuer) {
  const found = require.resolve('oidc-provider', { paths: [process.env.SUITE_NODE] });
  const { Provider } = await import(pathToFileURL(found));
  return new Provider(issuer, {
    clients: [{
      client_id: 'sallyport',
      client_secret: process.env.IDP_SECRET,
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
      redirect_uris: [],
      response_types: [],
    }],
    features: { deviceFlow: { enabled: true } },
    claims: { openid: ['sub'], groups: ['groups'] },
    scopes: ['openid', 'groups'],
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, groups: ['staff'] }) }),
  });
}

// Follows pages and their forms as a person would, with the cookies that they set.
class Browser {
  cookies = new Map();

  async open(url, form) {
    for (let hops = 0; hops < 10; hops += 1) {
      const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const body = form && new URLSearchParams(form);
      const answer = await fetch(url, { method: form ? 'POST' : 'GET', body, headers: { cookie }, redirect: 'manual' });
      for (const set of answer.headers.getSetCookie()) {
        const [name, value] = set.split(';')[0].split('=');
        if (value) this.cookies.set(name, value); else this.cookies.delete(name);
      }
      if (answer.status < 300 || answer.status > 399) return { url, status: answer.status, html: await answer.text() };
      url = new URL(answer.headers.get('location'), url).href;
      form = undefined;
    }
    throw new Error('too many redirects');
  }

  async use(url, more) {
    let page = await this.open(url);
    for (let forms = 0; forms < 6; forms += 1) {
      const form = /<form[^>]*action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/.exec(page.html);
      if (!form) return page;
      const fields = {};
      for (const [input] of form[2].matchAll(/<input[^>]*>/g)) {
        const name = /name="([^"]*)"/.exec(input);
        const value = /value="([^"]*)"/.exec(input);
        if (name) fields[name[1]] = value ? value[1] : 'alice';
      }
      if (fields.confirm) Object.assign(fields, more);
      page = await this.open(new URL(form[1], page.url).href, fields);
      if (fields.confirm && more.abort) return page;
    }
    throw new Error('too many forms');
  }
}

async function main() {
  const server = http.createServer();
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  server.on('request', (await provider(issuer)).callback());
  console.log(issuer);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [order, url] = line.split(' ');
    const page = await new Browser().use(url, order === 'say-no' ? { abort: 'yes' } : {});
    console.log(`${page.status} ${page.html.replace(/<style[^]*?<\/style>|<[^>]*>/g, ' ').replace(/\s+/g, ' ').slice(0, 200)}`);
  }
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
