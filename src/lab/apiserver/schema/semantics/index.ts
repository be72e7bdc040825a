/** The semantics of every built-in kind that has some, by group and kind. */
import type { BuiltinType } from '../builtins.ts';
import * as cluster from './cluster.ts';
import { configMapSemantics, secretSemantics } from './config.ts';
import { endpointSliceSemantics, endpointsSemantics } from './endpoints.ts';
import { cronJobSemantics, jobSemantics } from './jobs.ts';
import { ingressClassSemantics, ingressSemantics, networkPolicySemantics } from './networking.ts';
import { podSemantics, podTemplateSemantics } from './pods.ts';
import {
  admissionBindingSemantics,
  admissionPolicySemantics,
  bindingSemantics,
  roleSemantics,
} from './policies.ts';
import type { Semantics } from './semantics.ts';
import { serviceSemantics } from './services.ts';
import * as workloads from './workloads.ts';

const all: Readonly<Record<string, Semantics>> = {
  '/Pod': podSemantics,
  '/PodTemplate': podTemplateSemantics,
  '/ReplicationController': workloads.replicationControllerSemantics,
  '/Service': serviceSemantics,
  '/Endpoints': endpointsSemantics,
  '/Node': cluster.nodeSemantics,
  '/Namespace': cluster.namespaceSemantics,
  '/ConfigMap': configMapSemantics,
  '/Secret': secretSemantics,
  '/Event': cluster.eventSemantics,
  '/LimitRange': cluster.limitRangeSemantics,
  '/ResourceQuota': cluster.quotaSemantics,
  'apps/Deployment': workloads.deploymentSemantics,
  'apps/ReplicaSet': workloads.replicaSetSemantics,
  'apps/StatefulSet': workloads.statefulSetSemantics,
  'apps/DaemonSet': workloads.daemonSetSemantics,
  'apps/ControllerRevision': workloads.controllerRevisionSemantics,
  'batch/Job': jobSemantics,
  'batch/CronJob': cronJobSemantics,
  'discovery.k8s.io/EndpointSlice': endpointSliceSemantics,
  'networking.k8s.io/NetworkPolicy': networkPolicySemantics,
  'networking.k8s.io/Ingress': ingressSemantics,
  'networking.k8s.io/IngressClass': ingressClassSemantics,
  'coordination.k8s.io/Lease': cluster.leaseSemantics,
  'events.k8s.io/Event': cluster.eventV1Semantics,
  'policy/PodDisruptionBudget': cluster.disruptionBudgetSemantics,
  'rbac.authorization.k8s.io/Role': roleSemantics(false),
  'rbac.authorization.k8s.io/ClusterRole': roleSemantics(true),
  'rbac.authorization.k8s.io/RoleBinding': bindingSemantics(false),
  'rbac.authorization.k8s.io/ClusterRoleBinding': bindingSemantics(true),
  'admissionregistration.k8s.io/ValidatingAdmissionPolicy': admissionPolicySemantics,
  'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding': admissionBindingSemantics,
  'scheduling.k8s.io/PriorityClass': cluster.priorityClassSemantics,
  'storage.k8s.io/StorageClass': cluster.storageClassSemantics,
};

export function semanticsOf(type: BuiltinType): Semantics | undefined {
  return all[`${type.group}/${type.kind}`];
}
