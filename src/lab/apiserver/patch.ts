/** PATCH by media type: what a patch body makes of an object. */
import type { KubeObject } from '#api/object.ts';
import { badRequest, StatusError, unsupportedMediaType } from './errors.ts';
import { applyJsonPatch } from './patch/json.ts';
import { applyMergePatch } from './patch/merge.ts';
import { applyStrategicPatch } from './patch/strategic.ts';
import { asFields } from './request.ts';
import type { Schema, ServedKind } from './types.ts';

export const applyMediaType = 'application/apply-patch+yaml';

/** A function from the live object to the patched one. Throws 415 for a media type that the kind can't be patched with. */
export function patcher(
  kind: ServedKind,
  type: string,
  patch: unknown,
  schema: Schema = kind.schema,
): (live: KubeObject) => Record<string, unknown> {
  switch (type) {
    case 'application/json-patch+json':
      return (live) => checked(applyJsonPatch(live as unknown, patch), 422);
    case 'application/merge-patch+json':
      return (live) => checked(applyMergePatch(live as unknown, patch), 400);
    case 'application/strategic-merge-patch+json':
      if (kind.fromCrd) {
        throw unsupportedMediaType(
          'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
        );
      }
      return (live) => checked(applyStrategicPatch(schema, live as unknown, patch), 400);
    default:
      throw unsupportedMediaType(
        `the body of the request was in an unknown format (${type || 'no content type'}) - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml`,
      );
  }
}

function checked(
  patched: { readonly value: unknown; readonly problems: readonly string[] },
  code: 400 | 422,
): Record<string, unknown> {
  const [problem] = patched.problems;
  if (problem !== undefined) {
    throw code === 400
      ? badRequest(problem)
      : new StatusError(
          422,
          'Invalid',
          `the server rejected our request due to an error in our request: ${problem}`,
        );
  }
  return asFields(patched.value);
}
