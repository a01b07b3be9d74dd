import { expect } from "chai";
import { readOtlpTarget } from "./otlp-target.ts";

describe("readOtlpTarget", () => {
	const none = { target: undefined, problems: [] };

	it("asks for no traces when nobody names a collector", () => {
		expect(readOtlpTarget({}, undefined)).to.deep.equal(none);
		expect(
			readOtlpTarget({ OTEL_EXPORTER_OTLP_ENDPOINT: " " }, undefined),
		).to.deep.equal(none);
	});

	const places = [
		{
			name: "adds the path of traces to the address for everything",
			environment: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318/" },
			want: "http://c:4318/v1/traces",
		},
		{
			name: "takes the address for traces as it is",
			environment: {
				OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318",
				OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://t/in?k=1",
			},
			want: "https://t/in?k=1",
		},
		{
			name: "puts the setting before all variables",
			environment: { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://t/" },
			setting: "http://mine:4318/below",
			want: "http://mine:4318/below/v1/traces",
		},
	] as const;
	for (const { name, environment, want, ...rest } of places)
		it(name, () => {
			const setting = "setting" in rest ? rest.setting : undefined;
			const { target, problems } = readOtlpTarget(environment, setting);
			expect(target?.url).to.equal(want);
			expect(problems).to.deep.equal([]);
		});

	it("sends nothing when OpenTelemetry is switched off", () => {
		for (const off of [
			{ OTEL_SDK_DISABLED: "TRUE" },
			{ OTEL_TRACES_EXPORTER: "none" },
		])
			expect(
				readOtlpTarget(
					{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c", ...off },
					undefined,
				).target,
			).to.equal(undefined);
	});

	it("reads headers, time limit and what the process is called", () => {
		const { target } = readOtlpTarget(
			{
				OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318",
				OTEL_EXPORTER_OTLP_HEADERS: "Api-Key=a%3Db, x = y,nonsense",
				OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "250",
				OTEL_RESOURCE_ATTRIBUTES:
					"deployment.environment=prod,service.name=one",
				OTEL_SERVICE_NAME: "mesh",
			},
			undefined,
		);
		expect(target).to.deep.equal({
			url: "http://c:4318/v1/traces",
			headers: { "api-key": "a=b", x: "y" },
			timeoutMs: 250,
			resource: { "deployment.environment": "prod", "service.name": "mesh" },
		});
	});

	it("tells of what it cannot use, and goes on without it", () => {
		const bad = readOtlpTarget({}, "collector:4318");
		expect(bad.target).to.equal(undefined);
		expect(bad.problems).to.have.length(1);
		const odd = readOtlpTarget(
			{
				OTEL_EXPORTER_OTLP_ENDPOINT: "http://c",
				OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
				OTEL_EXPORTER_OTLP_TIMEOUT: "soon",
			},
			undefined,
		);
		expect(odd.target?.timeoutMs).to.equal(10_000);
		expect(odd.problems.join(" ")).to.include("grpc").and.include("soon");
	});
});
