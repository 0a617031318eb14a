// Does an editor help with claims? Asks the real yaml-language-server over LSP, with the settings of
// .vscode/settings.json: completion of field names and of values, hover, errors on wrong values, none
// on the examples and valid fixtures; and with a modeline in place of settings.
//
//   node editor.test.mjs PATH-OF-yaml-language-server
//
// Exit 0: it helps; 1: it does not; 2: the server did not run.
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const api = join(root, 'platform/04-apis');
const server = process.argv[2] ?? 'yaml-language-server';
const settings = JSON.parse(
  readFileSync(join(root, '.vscode/settings.json'), 'utf8').replace(/^\s*\/\/.*$/gm, ''),
);
// The editor resolves schemas against the workspace; this test does it for its own file names.
const schema = pathToFileURL(join(api, 'schemas/eventdrivenservice.schema.json')).href;
const yaml = { schemas: { [schema]: ['*.yaml'] } };
for (const [key, value] of Object.entries(settings)) {
  if (key !== 'yaml.schemas') yaml[key.replace('yaml.', '')] = value;
}

const child = spawn(process.execPath, [server, '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] });
child.on('error', (error) => { console.error(`editor test: ${error.message}`); process.exit(2); });
const waiting = new Map();
const diagnostics = new Map();
let next = 1;
let buffer = Buffer.alloc(0);

function send(message) {
  const body = JSON.stringify({ jsonrpc: '2.0', ...message });
  child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
function ask(method, params) {
  const id = next++;
  send({ id, method, params });
  return new Promise((done) => waiting.set(id, done));
}
child.stdout.on('data', (data) => {
  buffer = Buffer.concat([buffer, data]);
  for (;;) {
    const end = buffer.indexOf('\r\n\r\n');
    if (end < 0) return;
    const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, end).toString())[1]);
    if (buffer.length < end + 4 + length) return;
    const message = JSON.parse(buffer.subarray(end + 4, end + 4 + length).toString());
    buffer = buffer.subarray(end + 4 + length);
    if (message.method === 'textDocument/publishDiagnostics') {
      diagnostics.get(message.params.uri)?.(message.params.diagnostics);
    } else if (message.method === 'workspace/configuration') {
      send({ id: message.id, result: message.params.items.map((i) => (i.section === 'yaml' ? yaml : {})) });
    } else if (message.method && message.id !== undefined) {
      send({ id: message.id, result: null });
    } else if (waiting.has(message.id)) {
      waiting.get(message.id)(message.result);
      waiting.delete(message.id);
    }
  }
});
setTimeout(() => { console.error('editor test: no answer within 60 s'); process.exit(2); }, 60_000).unref();

let files = 0;
// Opens a text and gives its URI and the errors that the server sends for it.
async function open(text, extension = 'yaml') {
  const uri = pathToFileURL(join(root, `editor-test-${files++}.${extension}`)).href;
  const errors = new Promise((done) => diagnostics.set(uri, done));
  send({ method: 'textDocument/didOpen', params: { textDocument: { uri, languageId: 'yaml', version: 1, text } } });
  return { uri, errors: await errors };
}
// `|` marks the cursor.
async function at(text, method) {
  const before = text.slice(0, text.indexOf('|')).split('\n');
  const position = { line: before.length - 1, character: before.at(-1).length };
  const { uri } = await open(text.replace('|', ''));
  return ask(method, { textDocument: { uri }, position });
}

let passed = 0;
let failed = 0;
function check(name, held, got) {
  if (held) { passed++; console.log(`ok      ${name}`); return; }
  failed++;
  console.log(`FAILED  ${name}: ${JSON.stringify(got)?.slice(0, 400)}`);
}

await ask('initialize', {
  processId: process.pid, rootUri: pathToFileURL(root).href,
  capabilities: { workspace: { configuration: true }, textDocument: { hover: { contentFormat: ['plaintext'] } } },
});
send({ method: 'initialized', params: {} });
send({ method: 'workspace/didChangeConfiguration', params: { settings: { yaml } } });

const head = readFileSync(join(api, 'tests/fixtures/valid/minimal.yaml'), 'utf8');
const labels = (answer) => (answer?.items ?? []).map((item) => item.label);

let answer = labels(await at(`${head}  size: |\n`, 'textDocument/completion'));
check('completes the values of size', ['small', 'medium', 'large'].every((v) => answer.includes(v)), answer);
answer = labels(await at(`${head}  |\n`, 'textDocument/completion'));
check('completes the fields of spec', ['size', 'secretRefs', 'scaling'].every((v) => answer.includes(v)), answer);
answer = labels(await at(`${head}  scaling:\n    |\n`, 'textDocument/completion'));
check('completes the fields of scaling', answer.includes('maxReplicas'), answer);
answer = await at(`${head}  si|ze: small\n`, 'textDocument/hover');
check('explains size on hover', JSON.stringify(answer ?? '').includes('CPU and memory of each pod'), answer);

const line = head.split('\n').length - 1;
for (const [name, text] of [
  ['a wrong value', `${head}  size: medum\n`],
  ['an unknown field', `${head}  sise: small\n`],
  ['a number for a text', `${head}  env: [{name: PORT, value: 8080}]\n`],
]) {
  const { errors } = await open(text);
  check(`marks ${name} on its line`, errors.some((e) => e.range.start.line === line), errors);
}
// The settings above name *.yaml: a .yml has no schema but the one that its first line names.
const modeline = '# yaml-language-server: $schema=./platform/04-apis/schemas/eventdrivenservice.schema.json\n';
let { errors } = await open(`${modeline}${head}  size: medum\n`, 'yml');
check('marks a wrong value by the modeline alone', errors.some((e) => e.range.start.line === line + 1), errors);
({ errors } = await open(`${modeline}${head}  size: small\n`, 'yml'));
check('nothing to say about a claim with a modeline', errors.length === 0, errors);
({ errors } = await open(`${head}  size: medum\n`, 'yml'));
check('knows no schema without one', errors.length === 0, errors);
for (const folder of ['examples', 'tests/fixtures/valid']) {
  for (const file of readdirSync(join(api, folder)).filter((f) => f.endsWith('.yaml'))) {
    // Not claims alone, or a status, which only the API server drops.
    if (['kustomization.yaml', 'several-documents.yaml', 'list.yaml', 'status.yaml'].includes(file)) continue;
    const { errors } = await open(readFileSync(join(api, folder, file), 'utf8'));
    check(`nothing to say about ${folder}/${file}`, errors.length === 0, errors);
  }
}
console.log(`\n${passed} passed, ${failed} failed`);
child.kill();
process.exit(failed === 0 && passed > 0 ? 0 : 1);
