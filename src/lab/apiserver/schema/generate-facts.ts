/** What the published OpenAPI documents don't say: closed sets of values, requirements that the server doesn't enforce, unions. */

const protocols = ['TCP', 'UDP', 'SCTP'];
const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

/** Values of closed string fields, by `Definition.field`; for a list field, of its items. */
export const enumFacts: Readonly<Record<string, readonly string[]>> = {
  'ServiceSpec.type': ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'],
  'ServiceSpec.sessionAffinity': ['ClientIP', 'None'],
  'ServiceSpec.externalTrafficPolicy': ['Cluster', 'Local'],
  'ServiceSpec.internalTrafficPolicy': ['Cluster', 'Local'],
  'ServiceSpec.ipFamilyPolicy': ['SingleStack', 'PreferDualStack', 'RequireDualStack'],
  'ServiceSpec.ipFamilies': ['IPv4', 'IPv6'],
  'ServicePort.protocol': protocols,
  'ContainerPort.protocol': protocols,
  'EndpointPort.protocol': protocols,
  'NetworkPolicyPort.protocol': protocols,
  'NetworkPolicySpec.policyTypes': ['Ingress', 'Egress'],
  'EndpointSlice.addressType': ['FQDN', 'IPv4', 'IPv6'],
  'HTTPIngressPath.pathType': ['Exact', 'ImplementationSpecific', 'Prefix'],
  'PodSpec.restartPolicy': ['Always', 'OnFailure', 'Never'],
  'PodSpec.dnsPolicy': ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'],
  'PodSpec.preemptionPolicy': ['Never', 'PreemptLowerPriority'],
  'PriorityClass.preemptionPolicy': ['Never', 'PreemptLowerPriority'],
  'Container.imagePullPolicy': ['Always', 'IfNotPresent', 'Never'],
  'EphemeralContainer.imagePullPolicy': ['Always', 'IfNotPresent', 'Never'],
  'Container.terminationMessagePolicy': ['FallbackToLogsOnError', 'File'],
  'VolumeMount.mountPropagation': ['Bidirectional', 'HostToContainer', 'None'],
  'HTTPGetAction.scheme': ['HTTP', 'HTTPS'],
  'SeccompProfile.type': ['Localhost', 'RuntimeDefault', 'Unconfined'],
  'HostPathVolumeSource.type': [
    '',
    'BlockDevice',
    'CharDevice',
    'Directory',
    'DirectoryOrCreate',
    'File',
    'FileOrCreate',
    'Socket',
  ],
  'Toleration.effect': taintEffects,
  'Toleration.operator': ['Equal', 'Exists'],
  'Taint.effect': taintEffects,
  'TopologySpreadConstraint.whenUnsatisfiable': ['DoNotSchedule', 'ScheduleAnyway'],
  'LabelSelectorRequirement.operator': ['In', 'NotIn', 'Exists', 'DoesNotExist'],
  'NodeSelectorRequirement.operator': ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'],
  'DeploymentStrategy.type': ['Recreate', 'RollingUpdate'],
  'DaemonSetUpdateStrategy.type': ['OnDelete', 'RollingUpdate'],
  'StatefulSetUpdateStrategy.type': ['OnDelete', 'RollingUpdate'],
  'StatefulSetSpec.podManagementPolicy': ['OrderedReady', 'Parallel'],
  'CronJobSpec.concurrencyPolicy': ['Allow', 'Forbid', 'Replace'],
  'JobSpec.completionMode': ['Indexed', 'NonIndexed'],
  'JobSpec.podReplacementPolicy': ['Failed', 'TerminatingOrFailed'],
  'PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy': ['AlwaysAllow', 'IfHealthyBudget'],
  'StorageClass.reclaimPolicy': ['Delete', 'Retain'],
  'StorageClass.volumeBindingMode': ['Immediate', 'WaitForFirstConsumer'],
  'ValidatingAdmissionPolicySpec.failurePolicy': ['Fail', 'Ignore'],
  'ValidatingAdmissionPolicyBindingSpec.validationActions': ['Audit', 'Deny', 'Warn'],
  'CustomResourceDefinitionSpec.scope': ['Cluster', 'Namespaced'],
  'ResourceQuotaSpec.scopes': [
    'BestEffort',
    'CrossNamespacePodAffinity',
    'NotBestEffort',
    'NotTerminating',
    'PriorityClass',
    'Terminating',
  ],
};

const looseFields = new Set([
  'NetworkPolicySpec.podSelector',
  'StatefulSetSpec.serviceName',
  'EndpointSlice.endpoints',
  'ControllerRevision.revision',
  'PriorityClass.value',
  'HTTPHeader.value',
  'Sysctl.value',
  'Event.metadata',
  'Event.eventTime',
  'Event.involvedObject',
  'CustomResourceDefinitionSpec.names',
]);

/** Fields that are marked required but that the server takes as their zero value when absent: all of a status, and a few more. */
export function looseRequired(definition: string): (field: string) => boolean {
  const reported =
    /(?:Status|Condition|NodeSystemInfo|NodeAddress|PodIP|HostIP|AttachedVolume|DaemonEndpoint|EventSeries|ContainerStateTerminated|ResourceHealth|LinuxContainerUser|ExpressionWarning)$/;
  if (reported.test(definition)) return () => true;
  return (field) => looseFields.has(`${definition}.${field}`);
}

const anything = { 'x-kubernetes-preserve-unknown-fields': true };

/** Definitions that JSON schema can't tell as the server reads them: unions of types, and free-form values. */
export const replacedDefinitions: Readonly<Record<string, object>> = {
  IntOrString: { 'x-kubernetes-int-or-string': true, format: 'int-or-string' },
  Quantity: { 'x-kubernetes-int-or-string': true, format: 'quantity' },
  FieldsV1: { type: 'object', ...anything },
  RawExtension: { type: 'object', ...anything },
  JSON: anything,
  JSONSchemaPropsOrBool: anything,
  JSONSchemaPropsOrStringArray: anything,
};

/** Definitions that stand for another one: the list form of `items` is refused in CRDs, so it's always one schema. */
export const aliases: Readonly<Record<string, string>> = { JSONSchemaPropsOrArray: 'JSONSchemaProps' };
