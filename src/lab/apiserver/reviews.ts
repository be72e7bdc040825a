/** Kinds that are asked, not stored: who am I, is this token good, may I. */

import { tokenUser } from './authentication.ts';
import type { User } from './context.ts';
import { timestamp } from './context.ts';
import { questions } from './discovery.ts';
import { pathNotFound } from './errors.ts';
import { asFields, decodeBody, mediaType, type ResourcePath, readBody } from './request.ts';
import { send } from './response.ts';
import { type Exchange, refuseMethod } from './routes.ts';
import { defaultAudience } from './tokens.ts';

export function isReview(path: ResourcePath): boolean {
  return questions.some(
    ({ group, version, plural }) =>
      group === path.group && version === path.version && plural === path.plural,
  );
}

/** POST answers; nothing else is allowed. */
export async function answerReview(exchange: Exchange, path: ResourcePath): Promise<void> {
  const { context, request, response, user } = exchange;
  if (path.name !== undefined) throw pathNotFound();
  if (request.method !== 'POST') throw refuseMethod();
  const body = asFields(decodeBody(await readBody(request), mediaType(request)));
  const question = questions.find(({ plural }) => plural === path.plural)!;
  const spec = (body['spec'] ?? {}) as Record<string, unknown>;
  const status = (): object => {
    switch (question.kind) {
      case 'SelfSubjectReview':
        return { userInfo: userInfo(user) };
      case 'TokenReview': {
        const audiences = (spec['audiences'] as string[] | undefined) ?? [defaultAudience];
        const found = tokenUser(context, String(spec['token'] as string), audiences);
        return typeof found === 'string'
          ? { error: found }
          : { authenticated: true, user: userInfo(found), audiences };
      }
      default:
        return {
          allowed: true,
          reason: 'this server does not enforce RBAC: every authenticated user may do everything',
        };
    }
  };
  const answer = {
    kind: question.kind,
    apiVersion: `${question.group}/${question.version}`,
    metadata: { creationTimestamp: timestamp() },
    ...(question.kind === 'SelfSubjectReview' ? {} : { spec }),
    status: status(),
  };
  await send(request, response, { code: 201, body: answer });
}

function userInfo(user: User): object {
  const { name, uid, groups, extra } = user;
  return {
    username: name,
    ...(uid === undefined ? {} : { uid }),
    groups,
    ...(extra === undefined ? {} : { extra }),
  };
}
