/** Image archives: which layers, in which order, with which settings, and what a layer takes away. */
import { expect, test } from 'vitest';
import { readArchive, whiteouts } from './archive.ts';

const digest = (letter: string) => `sha256:${letter.repeat(8)}`;
const blob = (letter: string) => `blobs/sha256/${letter.repeat(8)}`;
const config = { config: { Entrypoint: ['/app'], Env: ['A=b=c', 'EMPTY'], User: '10:20' } };
const manifest = {
  config: { digest: digest('c') },
  layers: [{ digest: digest('1') }, { digest: digest('2') }],
};

function read(files: Readonly<Record<string, unknown>>, architecture = 'amd64') {
  return readArchive(new Set(Object.keys(files)), (path) => Promise.resolve(files[path]), architecture);
}

test('an OCI archive, through an index of several platforms', async () => {
  const platforms = [
    { digest: digest('e'), platform: { os: 'linux', architecture: 'arm64' } },
    { digest: digest('d'), platform: { os: 'linux', architecture: 'amd64' } },
    { digest: digest('f'), platform: { os: 'unknown', architecture: 'unknown' } },
  ];
  const files = {
    'index.json': { manifests: [{ digest: digest('a') }] },
    [blob('a')]: { manifests: platforms },
    [blob('d')]: manifest,
    [blob('c')]: config,
  };
  const { layers, settings } = await read(files);
  expect(layers).toEqual([
    { path: blob('1'), digest: digest('1') },
    { path: blob('2'), digest: digest('2') },
  ]);
  expect(settings).toMatchObject({ entrypoint: ['/app'], command: [], workingDir: '/', user: '10:20' });
  expect(settings.env).toMatchObject({ A: 'b=c', EMPTY: '', PATH: expect.any(String) });
  await expect(read(files, 's390x')).rejects.toThrow(
    'no image for linux/s390x (it has linux/arm64, linux/amd64)',
  );
});

test('an archive of docker save', async () => {
  const files = { 'manifest.json': [{ Config: 'c.json', Layers: ['1/layer.tar'] }], 'c.json': config };
  expect((await read(files)).layers).toEqual([{ path: '1/layer.tar' }]);
});

test('what is none, and digests that would leave the archive', async () => {
  await expect(read({ 'etc/passwd': '' })).rejects.toThrow('neither an OCI archive');
  const evil = { 'index.json': { manifests: [{ digest: 'sha256:../../../etc/shadow' }] } };
  await expect(read(evil)).rejects.toThrow('is no digest');
});

test('whiteouts', () => {
  expect(whiteouts(['./a/.wh.b', 'c/.wh..wh..opq', '.wh.top', 'plain', '.wh.', 'd/.wh'])).toEqual({
    remove: ['a/b', 'top'],
    clear: ['c/'],
  });
});
