/** RBAC objects and admission policies: stored and checked, not enforced. */
import type { FieldProblem } from '../../types.ts';
import type { PlainObject } from '../plain.ts';
import { child, forbidden, indexed, invalid, notSupported, required } from '../problems.ts';
import { at, ensure, type Fields, fill, immutable, list, objects, text } from './fields.ts';
import type { Semantics } from './semantics.ts';

const rbacGroup = 'rbac.authorization.k8s.io';

/** Roles and ClusterRoles; only cluster-wide ones may name URLs. */
export function roleSemantics(cluster: boolean): Semantics {
  return {
    name: 'path',
    check(object) {
      const problems: FieldProblem[] = [];
      for (const [i, rule] of objects(object.rules))
        problems.push(...checkRule(rule, indexed('rules', i), cluster));
      return problems;
    },
  };
}

function checkRule(rule: Fields, path: string, cluster: boolean): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (list(rule.verbs).length === 0)
    problems.push(required(child(path, 'verbs'), 'verbs must contain at least one value'));
  const urls = list(rule.nonResourceURLs);
  if (urls.length > 0) {
    if (!cluster)
      problems.push(
        invalid(child(path, 'nonResourceURLs'), urls, 'namespaced rules cannot apply to non-resource URLs'),
      );
    if (list(rule.apiGroups).length > 0 || list(rule.resources).length > 0) {
      problems.push(
        invalid(
          child(path, 'nonResourceURLs'),
          urls,
          'rules cannot apply to both regular resources and non-resource URLs',
        ),
      );
    }
    return problems;
  }
  if (list(rule.apiGroups).length === 0)
    problems.push(required(child(path, 'apiGroups'), 'resource rules must supply at least one api group'));
  if (list(rule.resources).length === 0)
    problems.push(required(child(path, 'resources'), 'resource rules must supply at least one resource'));
  return problems;
}

/** RoleBindings and ClusterRoleBindings. */
export function bindingSemantics(cluster: boolean): Semantics {
  return {
    name: 'path',
    normalize(object) {
      if (Object.keys(at(object, 'roleRef')).length > 0) fill(at(object, 'roleRef'), { apiGroup: rbacGroup });
      for (const [, subject] of objects(object.subjects)) {
        if (subject.kind === 'User' || subject.kind === 'Group') fill(subject, { apiGroup: rbacGroup });
      }
      return object;
    },
    check(object, old) {
      const reference = at(object, 'roleRef');
      const kinds = cluster ? ['ClusterRole'] : ['Role', 'ClusterRole'];
      const problems: FieldProblem[] = [];
      if (reference.apiGroup !== rbacGroup)
        problems.push(notSupported('roleRef.apiGroup', reference.apiGroup, [rbacGroup]));
      if (!kinds.includes(text(reference.kind)))
        problems.push(notSupported('roleRef.kind', reference.kind, kinds));
      if (text(reference.name) === '') problems.push(required('roleRef.name'));
      for (const [i, subject] of objects(object.subjects))
        problems.push(...checkSubject(subject, indexed('subjects', i), cluster));
      if (old !== undefined && immutable(object as Fields, old as Fields, '', 'roleRef').length > 0) {
        problems.push(invalid('roleRef', reference, 'cannot change roleRef'));
      }
      return problems;
    },
  };
}

function checkSubject(subject: Fields, path: string, cluster: boolean): readonly FieldProblem[] {
  const kinds = ['ServiceAccount', 'User', 'Group'];
  if (!kinds.includes(text(subject.kind))) return [notSupported(child(path, 'kind'), subject.kind, kinds)];
  if (text(subject.name) === '') return [required(child(path, 'name'))];
  if (subject.kind === 'ServiceAccount' && text(subject.namespace) === '' && cluster)
    return [required(child(path, 'namespace'))];
  return [];
}

export const admissionPolicySemantics: Semantics = {
  normalize(object) {
    const spec = at(object, 'spec');
    fill(spec, { failurePolicy: 'Fail' });
    defaultMatch(spec, 'matchConstraints');
    return object;
  },
  check(object) {
    const spec = at(object, 'spec');
    const problems: FieldProblem[] = [];
    if (list(spec.validations).length === 0 && list(spec.auditAnnotations).length === 0) {
      problems.push(
        required('spec.validations', 'validations or auditAnnotations must contain at least one item'),
      );
    }
    for (const [i, each] of objects(spec.validations)) {
      if (text(each.expression).trim() === '')
        problems.push(
          required(child(indexed('spec.validations', i), 'expression'), 'expression is not specified'),
        );
    }
    if (list(at(spec, 'matchConstraints').resourceRules).length === 0)
      problems.push(required('spec.matchConstraints.resourceRules'));
    return problems;
  },
};

export const admissionBindingSemantics: Semantics = {
  normalize(object: PlainObject) {
    const spec = at(object, 'spec');
    if (spec.matchResources !== undefined) defaultMatch(spec, 'matchResources');
    return object;
  },
  check(object) {
    const spec = at(object, 'spec');
    const problems: FieldProblem[] = [];
    if (text(spec.policyName) === '') problems.push(required('spec.policyName'));
    const actions = list(spec.validationActions);
    if (actions.length === 0)
      problems.push(required('spec.validationActions', 'at least one validation action is required'));
    if (actions.includes('Deny') && actions.includes('Warn')) {
      problems.push(
        forbidden(
          'spec.validationActions',
          'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
        ),
      );
    }
    return problems;
  },
};

function defaultMatch(spec: Fields, field: string): void {
  const match = ensure(spec, field);
  fill(match, { matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {} });
  for (const [, rule] of objects(match.resourceRules)) fill(rule, { scope: '*' });
}
