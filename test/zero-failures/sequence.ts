/*
 * A random sequence of valid changes, made from a seed and a shape alone: the
 * first thousand changes begin with the first hundred. What makes a change valid
 * is what a careful person or Kubernetes itself would see to:
 *
 *   - a rule names only versions that are served, and a version that a rule
 *     names keeps an endpoint;
 *   - an endpoint is marked as terminating first; its application goes on for a
 *     while, says that it no longer serves, takes no more connections, finishes
 *     what is in flight and ends, and then the endpoint goes;
 *   - nobody begins a request to a service or port that is about to go. What is
 *     in flight then is the mesh's to finish.
 */
import {
	externalYaml,
	podYaml,
	ruleYaml,
	serviceYaml,
	workloadYaml,
} from "../testkit/mesh-yaml.ts";
import { Random } from "./random.ts";
import type { ChangeKind, Shape } from "./shape.ts";

/** What may be requested from its announcement to its withdrawal. */
export interface Target {
	readonly id: string;
	readonly url: string;
	/** The service that must answer. */
	readonly service: string;
}

/** An application to start. */
export interface ApplicationSpec {
	readonly name: string;
	readonly service: string;
	readonly http2: boolean;
}

/** What is known of running applications. */
export interface ApplicationsView {
	readonly portOf: (application: string) => number;
	/** False from shortly before it takes no more connections. */
	isServing(application: string): boolean;
}

/** A file to write; without `yaml` it is removed. */
export interface FileChange {
	readonly file: string;
	readonly yaml?: (applications: ApplicationsView) => string;
}

/** One change, in the order in which its parts are carried out. */
export interface Step {
	readonly kind: ChangeKind | "forgetWorkload";
	readonly about: string;
	/** Ids of targets to which no request is begun any more. */
	readonly withdraw: readonly string[];
	/** Applications that must have ended before. */
	readonly ended: readonly string[];
	readonly starts: readonly ApplicationSpec[];
	readonly files: readonly FileChange[];
	/** Targets that may be requested as soon as they answer. */
	readonly announce: readonly Target[];
	/** Applications that end after the time for draining. */
	readonly stops: readonly string[];
}

/** The sidecars that call, as `namespace/name`. */
export const callers = ["default/caller-a", "default/caller-b"] as const;

/** A service behind a sidecar of its own, which never changes. */
export const frontService = "front";

interface Workload {
	readonly name: string;
	readonly service: string;
	readonly version: string;
}

interface Rule {
	readonly name: string;
	readonly file: string;
	readonly spec: object;
	readonly versions: readonly string[];
}

interface ServiceState {
	readonly name: string;
	readonly http2: boolean;
	secondPort: boolean;
	serving: Workload[];
	draining: Workload[];
	rules: Rule[];
}

interface ExternalState {
	readonly host: string;
	readonly name: string;
	readonly resolution: "Static" | "DNS";
	application: string;
}

interface Leaving {
	readonly workload: Workload;
	/** Number of the first change that may remove its endpoint. */
	readonly due: number;
}

type Draft = Partial<Omit<Step, "kind">> & { readonly about: string };

const serviceNames = 14;
const versionNames = 5;
const externalNames = 6;
const teams = ["a", "b", "c"] as const;

/** Makes the changes of one seed and shape, one after the other. */
export class Sequence {
	readonly #shape: Shape;
	readonly #random: Random;
	readonly #services = new Map<string, ServiceState>();
	readonly #externals = new Map<string, ExternalState>();
	readonly #leaving: Leaving[] = [];
	/** By target: the change from which on it may come again. Before, answers might still be those of its former life. */
	readonly #resting = new Map<string, number>();
	#changes = 0;
	#numbered = 0;

	constructor(seed: number, shape: Shape) {
		this.#shape = shape;
		this.#random = new Random(seed);
	}

	/** What is there before the first change. */
	beginning(): Omit<Step, "kind"> {
		const drafts: Draft[] = [];
		while (this.#services.size < this.#shape.services[0])
			drafts.push(...(this.#addService() ?? []));
		return step("beginning", {
			about: "the beginning",
			starts: drafts.flatMap(({ starts = [] }) => starts),
			files: [
				...callers.map((_, index) => this.#callerFile(index, teams[index % 2])),
				...drafts.flatMap(({ files = [] }) => files),
			],
			announce: drafts.flatMap(({ announce = [] }) => announce),
		});
	}

	/** The next change. */
	next(): Step {
		this.#changes += 1;
		const due = this.#leaving.findIndex(({ due }) => due <= this.#changes);
		if (due >= 0 && this.#random.chance(60)) {
			const [leaving] = this.#leaving.splice(due, 1);
			if (leaving) return step("forgetWorkload", this.#forget(leaving));
		}
		const kinds = Object.entries(this.#shape.changes) as [ChangeKind, number][];
		for (;;) {
			const kind = this.#random.weighted(kinds);
			if (kind === undefined)
				throw new Error("No kind of change has a weight.");
			const [draft] = this.#changesOf[kind]() ?? [];
			if (draft !== undefined) return step(kind, draft);
		}
	}

	readonly #changesOf: Readonly<Record<ChangeKind, () => [Draft] | undefined>> =
		{
			addService: () => this.#addService(),
			removeService: () => this.#removeService(),
			addPort: () => this.#changePorts(true),
			removePort: () => this.#changePorts(false),
			addWorkload: () => this.#addWorkload(),
			removeWorkload: () => this.#removeWorkload(),
			replaceWorkload: () => this.#replaceWorkload(),
			addVersion: () => this.#addVersion(),
			removeVersion: () => this.#removeVersion(),
			addRule: () => this.#addRule(),
			changeRule: () => this.#changeRule(),
			moveRule: () => this.#moveRule(),
			removeRule: () => this.#removeRule(),
			addExternal: () => this.#addExternal(),
			changeExternal: () => this.#changeExternal(),
			removeExternal: () => this.#removeExternal(),
			relabelCaller: () => this.#relabelCaller(),
		};

	#addService(): [Draft] | undefined {
		if (this.#services.size >= this.#shape.services[1]) return undefined;
		const name = this.#random.pick(
			namesFrom("s", serviceNames).filter(
				(name) =>
					!this.#services.has(name) &&
					!this.#rests(`${name}:80`) &&
					!this.#leaving.some(({ workload }) => workload.service === name),
			),
		);
		if (name === undefined) return undefined;
		const service: ServiceState = {
			name,
			http2: this.#random.chance(25),
			secondPort: this.#random.chance(30) && !this.#rests(`${name}:8080`),
			serving: [],
			draining: [],
			rules: [],
		};
		this.#services.set(name, service);
		const workloads = Array.from({ length: this.#random.whole(1, 2) }, () =>
			this.#newWorkload(service, "v1"),
		);
		const files = [
			...workloads.map((workload) => workloadFile(service, workload)),
			serviceFile(service),
		];
		// Both orders happen to people.
		if (this.#random.chance(50)) files.reverse();
		return [
			{
				about: `Service ${name} appears`,
				starts: workloads.map(({ name: application }) => ({
					name: application,
					service: name,
					http2: service.http2,
				})),
				files,
				announce: targetsOf(service),
			},
		];
	}

	#removeService(): [Draft] | undefined {
		if (this.#services.size <= Math.min(3, this.#shape.services[0]))
			return undefined;
		const service = this.#random.pick([...this.#services.values()]);
		if (service === undefined) return undefined;
		this.#services.delete(service.name);
		const leaving = service.serving;
		this.#drain(service, leaving);
		return [
			{
				about: `Service ${service.name} goes, with its ${service.rules.length} rules`,
				withdraw: this.#withdraw(targetsOf(service).map(({ id }) => id)),
				files: [
					...service.rules.map(({ file }) => ({ file })),
					{ file: `service-${service.name}.yaml` },
					...leaving.map((workload) => workloadFile(service, workload, true)),
				],
				stops: leaving.map(({ name }) => name),
			},
		];
	}

	#changePorts(secondPort: boolean): [Draft] | undefined {
		const service = this.#pickService(
			(one) =>
				one.secondPort !== secondPort && !this.#rests(secondTarget(one).id),
		);
		if (service === undefined) return undefined;
		service.secondPort = secondPort;
		const workloads = [
			...service.serving.map((one) => workloadFile(service, one)),
			...service.draining.map((one) => workloadFile(service, one, true)),
		];
		const files = secondPort
			? [...workloads, serviceFile(service)]
			: [serviceFile(service), ...workloads];
		const target = secondTarget(service);
		return [
			{
				about: `Service ${service.name} ${secondPort ? "gets" : "loses"} port 8080`,
				withdraw: secondPort ? [] : this.#withdraw([target.id]),
				files,
				announce: secondPort ? [target] : [],
			},
		];
	}

	#addWorkload(): [Draft] | undefined {
		const service = this.#pickService(() => true);
		const version = this.#random.pick(versionsOf(service));
		if (service === undefined || version === undefined) return undefined;
		const count = service.serving.filter((one) => one.version === version);
		if (count.length >= this.#shape.workloadsPerVersion) return undefined;
		return [this.#startWorkload(service, version)];
	}

	#addVersion(): [Draft] | undefined {
		const service = this.#pickService(
			(one) => versionsOf(one).length < this.#shape.versionsPerService,
		);
		if (service === undefined) return undefined;
		const used = versionsOf(service);
		const version = this.#random.pick(
			namesFrom("v", versionNames).filter((name) => !used.includes(name)),
		);
		return version === undefined
			? undefined
			: [this.#startWorkload(service, version)];
	}

	#startWorkload(service: ServiceState, version: string): Draft {
		const workload = this.#newWorkload(service, version);
		return {
			about: `${workload.name} (${version}) starts`,
			starts: [
				{ name: workload.name, service: service.name, http2: service.http2 },
			],
			files: [workloadFile(service, workload)],
		};
	}

	#removeWorkload(): [Draft] | undefined {
		const service = this.#pickService((one) => spare(one).length > 0);
		const workload = service && this.#random.pick(spare(service));
		if (service === undefined || workload === undefined) return undefined;
		return [this.#stop(service, [workload], `${workload.name} drains`)];
	}

	#removeVersion(): [Draft] | undefined {
		const service = this.#pickService((one) => unnamed(one).length > 0);
		const version = service && this.#random.pick(unnamed(service));
		if (service === undefined || version === undefined) return undefined;
		const leaving = service.serving.filter((one) => one.version === version);
		return [
			this.#stop(
				service,
				leaving,
				`version ${version} of ${service.name} drains`,
			),
		];
	}

	#replaceWorkload(): [Draft] | undefined {
		const service = this.#pickService(() => true);
		const workload = service && this.#random.pick(service.serving);
		if (service === undefined || workload === undefined) return undefined;
		const started = this.#startWorkload(service, workload.version);
		const stopped = this.#stop(service, [workload], "");
		return [
			{
				...started,
				about: `${started.files?.[0]?.file} in the place of ${workload.name}`,
				files: [...(started.files ?? []), ...(stopped.files ?? [])],
				stops: stopped.stops ?? [],
			},
		];
	}

	#stop(
		service: ServiceState,
		workloads: readonly Workload[],
		about: string,
	): Draft {
		this.#drain(service, workloads);
		return {
			about,
			files: workloads.map((workload) => workloadFile(service, workload, true)),
			stops: workloads.map(({ name }) => name),
		};
	}

	#drain(service: ServiceState, workloads: readonly Workload[]): void {
		const distance = this.#restingChanges;
		service.serving = service.serving.filter((one) => !workloads.includes(one));
		service.draining = [...service.draining, ...workloads];
		for (const workload of workloads)
			this.#leaving.push({ workload, due: this.#changes + distance });
	}

	/** How many changes are made until what is gone is surely gone everywhere. */
	get #restingChanges(): number {
		const { changesPerSecond, drainMs, load } = this.#shape;
		return (changesPerSecond * (drainMs + load.slowMs[1])) / 1000;
	}

	#withdraw(ids: readonly string[]): readonly string[] {
		for (const id of ids)
			this.#resting.set(id, this.#changes + this.#restingChanges);
		return ids;
	}

	#rests(id: string): boolean {
		return (this.#resting.get(id) ?? 0) > this.#changes;
	}

	#forget({ workload }: Leaving): Draft {
		const { name } = workload;
		const service = this.#services.get(workload.service);
		if (service !== undefined)
			service.draining = service.draining.filter((one) => one !== workload);
		return {
			about: `${name} has ended and its endpoint goes`,
			ended: [name],
			files: [{ file: `workload-${name}.yaml` }],
		};
	}

	#addRule(): [Draft] | undefined {
		const service = this.#pickService(
			(one) => one.rules.length < this.#shape.rulesPerService,
		);
		if (service === undefined) return undefined;
		const name = `${service.name}-rule-${this.#number()}`;
		const rule = { ...this.#ruleFor(service), name, file: `${name}.yaml` };
		service.rules.push(rule);
		return [{ about: `rule ${printRule(rule)}`, files: [ruleFile(rule)] }];
	}

	#changeRule(): [Draft] | undefined {
		const service = this.#pickService((one) => one.rules.length > 0);
		const before = service && this.#random.pick(service.rules);
		if (service === undefined || before === undefined) return undefined;
		const rule = { ...before, ...this.#ruleFor(service) };
		replace(service.rules, before, rule);
		return [
			{ about: `rule is now ${printRule(rule)}`, files: [ruleFile(rule)] },
		];
	}

	/** The same rule in another file: for a moment it stands in both or in none. */
	#moveRule(): [Draft] | undefined {
		const service = this.#pickService((one) => one.rules.length > 0);
		const before = service && this.#random.pick(service.rules);
		if (service === undefined || before === undefined) return undefined;
		const rule = { ...before, file: `moved-${this.#number()}.yaml` };
		replace(service.rules, before, rule);
		const files = [{ file: before.file }, ruleFile(rule)];
		if (this.#random.chance(50)) files.reverse();
		return [{ about: `rule ${rule.name} moves to ${rule.file}`, files }];
	}

	#removeRule(): [Draft] | undefined {
		const service = this.#pickService((one) => one.rules.length > 0);
		const rule = service && this.#random.pick(service.rules);
		if (service === undefined || rule === undefined) return undefined;
		service.rules = service.rules.filter((one) => one !== rule);
		return [{ about: `rule ${rule.name} goes`, files: [{ file: rule.file }] }];
	}

	#addExternal(): [Draft] | undefined {
		if (this.#externals.size >= this.#shape.externalServices) return undefined;
		const name = this.#random.pick(
			namesFrom("ext", externalNames).filter(
				(name) => !this.#externals.has(name) && !this.#rests(name),
			),
		);
		if (name === undefined) return undefined;
		const external: ExternalState = {
			name,
			host: `${name}.example.com`,
			resolution: this.#random.chance(50) ? "Static" : "DNS",
			application: `${name}-${this.#number()}`,
		};
		this.#externals.set(name, external);
		return [
			{
				about: `ExternalService ${name} (${external.resolution}) appears`,
				starts: [{ name: external.application, service: name, http2: false }],
				files: [externalFile(external)],
				announce: [{ id: name, url: `http://${external.host}`, service: name }],
			},
		];
	}

	#changeExternal(): [Draft] | undefined {
		const external = this.#random.pick([...this.#externals.values()]);
		if (external === undefined) return undefined;
		const before = external.application;
		const application = `${external.name}-${this.#number()}`;
		external.application = application;
		return [
			{
				about: `ExternalService ${external.name} moves`,
				starts: [{ name: application, service: external.name, http2: false }],
				files: [externalFile({ ...external })],
				stops: [before],
			},
		];
	}

	#removeExternal(): [Draft] | undefined {
		const external = this.#random.pick([...this.#externals.values()]);
		if (external === undefined) return undefined;
		this.#externals.delete(external.name);
		return [
			{
				about: `ExternalService ${external.name} goes`,
				withdraw: this.#withdraw([external.name]),
				files: [{ file: `${external.name}.yaml` }],
				stops: [external.application],
			},
		];
	}

	/** Other rules apply to the caller from now on. */
	#relabelCaller(): [Draft] {
		const index = this.#random.whole(0, callers.length - 1);
		const team = this.#random.pick(teams);
		return [
			{
				about: `${callers[index]} belongs to team ${team}`,
				files: [this.#callerFile(index, team)],
			},
		];
	}

	#callerFile(index: number, team = ""): FileChange {
		const name = callers[index]?.split("/")[1] ?? "";
		return {
			file: `pod-default-${name}.yaml`,
			yaml: () => podYaml({ name, service: name, labels: { team } }),
		};
	}

	#newWorkload(service: ServiceState, version: string): Workload {
		const name = `${service.name}-${version}-${this.#number()}`;
		const workload = { name, service: service.name, version };
		service.serving.push(workload);
		return workload;
	}

	#pickService(
		isMeant: (service: ServiceState) => boolean,
	): ServiceState | undefined {
		return this.#random.pick([...this.#services.values()].filter(isMeant));
	}

	#number(): number {
		this.#numbered += 1;
		return this.#numbered;
	}

	#ruleFor(service: ServiceState): Pick<Rule, "spec" | "versions"> {
		const random = this.#random;
		const versions = versionsOf(service).filter(() => random.chance(60));
		const route = versions.map((version, index) => ({
			labels: { version },
			weight: random.whole(index === 0 ? 1 : 0, 10),
		}));
		return {
			versions,
			spec: {
				destination: { name: service.name },
				precedence: random.whole(0, 5),
				...random.weighted<object>([
					[{}, 3],
					[{ match: [{ path: { prefix: "/api" } }] }, 2],
					[{ match: [{ headers: { "x-user": `u${random.whole(1, 5)}` } }] }, 2],
					[
						{ match: [{ source: { labels: { team: random.pick(teams) } } }] },
						2,
					],
				]),
				...(route.length > 0 && { route }),
				...random.weighted<object>([
					[{}, 6],
					[{ timeout: "30s" }, 2],
					[{ retries: { attempts: 2, on: ["gateway-error"] } }, 2],
					[{ headers: { request: { set: { "x-rule": "yes" } } } }, 2],
					[{ affinity: { header: "x-user" } }, 1],
					[
						{
							fault: {
								delay: {
									percent: 10,
									duration: `${random.whole(200, 1500)}ms`,
								},
							},
						},
						2,
					],
				]),
			},
		};
	}
}

function step<Kind extends string>(
	kind: Kind,
	draft: Draft,
): Omit<Step, "kind"> & { readonly kind: Kind } {
	return {
		kind,
		withdraw: [],
		ended: [],
		starts: [],
		files: [],
		announce: [],
		stops: [],
		...draft,
	};
}

function namesFrom(letter: string, count: number): string[] {
	return Array.from({ length: count }, (_, index) => `${letter}${index + 1}`);
}

function versionsOf(service: ServiceState | undefined): readonly string[] {
	return [
		...new Set((service?.serving ?? []).map(({ version }) => version)),
	].sort();
}

/** Versions that may go: no rule names them, and others serve. */
function unnamed(service: ServiceState): readonly string[] {
	const versions = versionsOf(service);
	if (versions.length < 2) return [];
	return versions.filter(
		(version) => !service.rules.some((rule) => rule.versions.includes(version)),
	);
}

/** Workloads of which their version has another one. */
function spare(service: ServiceState): readonly Workload[] {
	return service.serving.filter((workload) =>
		service.serving.some(
			(other) => other !== workload && other.version === workload.version,
		),
	);
}

function targetsOf(service: ServiceState): readonly Target[] {
	const { name } = service;
	const first = { id: `${name}:80`, url: `http://${name}`, service: name };
	return service.secondPort ? [first, secondTarget(service)] : [first];
}

function secondTarget({ name }: ServiceState): Target {
	return { id: `${name}:8080`, url: `http://${name}:8080`, service: name };
}

function portsOf({ http2, secondPort }: ServiceState) {
	const appProtocol = http2 ? "kubernetes.io/h2c" : "http";
	const first = { name: "http", port: 80, appProtocol };
	return secondPort
		? [first, { name: "second", port: 8080, appProtocol }]
		: [first];
}

function serviceFile(service: ServiceState): FileChange {
	const yaml = serviceYaml(service.name, portsOf(service));
	return { file: `service-${service.name}.yaml`, yaml: () => yaml };
}

function workloadFile(
	service: ServiceState,
	{ name, version }: Workload,
	terminating = false,
): FileChange {
	const names = portsOf(service).map((port) => port.name);
	return {
		file: `workload-${name}.yaml`,
		yaml: (applications) =>
			workloadYaml({
				name,
				service: service.name,
				labels: { version },
				ports: Object.fromEntries(
					names.map((port) => [port, applications.portOf(name)]),
				),
				conditions: terminating
					? {
							ready: false,
							serving: applications.isServing(name),
							terminating: true,
						}
					: { ready: true, serving: true, terminating: false },
			}),
	};
}

function ruleFile({ file, name, spec }: Rule): FileChange {
	return { file, yaml: () => ruleYaml(name, spec) };
}

function externalFile(external: ExternalState): FileChange {
	const { name, host, resolution, application } = external;
	return {
		file: `${name}.yaml`,
		yaml: ({ portOf }) =>
			externalYaml(name, {
				hosts: [host],
				ports: [{ number: 80, name: "http", protocol: "HTTP" }],
				resolution,
				endpoints: [
					{
						address: resolution === "Static" ? "127.0.0.1" : "localhost",
						ports: { http: portOf(application) },
					},
				],
			}),
	};
}

function replace<T>(list: T[], before: T, after: T): void {
	list[list.indexOf(before)] = after;
}

function printRule({ name, spec }: Rule): string {
	return `${name} ${JSON.stringify(spec)}`;
}
