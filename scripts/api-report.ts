// The public API of each entry point, as @microsoft/api-extractor reports it: api/<name>.api.md. A change of the API
// shows as a difference of a report. Its declarations are emitted for it, so that whatever compiler made dist/ does not
// matter.
import {
  CompilerState,
  Extractor,
  ExtractorConfig,
  ExtractorLogLevel,
  type ExtractorMessage,
} from '@microsoft/api-extractor'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { entryPoints, openPackage, type Package, project } from './docs/program.js'

/** The reports, by their paths. */
export function apiReports(opened: Package = openPackage()): ReadonlyMap<string, string> {
  const folder = mkdtempSync(join(project, 'dist/api-'))
  try {
    opened.emitDeclarations(folder)
    const configs = Array.from(entryPoints(), ([name, source]) => configOf(name, source, folder))
    // One program for all entry points.
    const compilerState = CompilerState.create(configs[0]!, {
      additionalEntryPoints: configs.map(({ mainEntryPointFilePath }) => mainEntryPointFilePath),
    })
    return new Map(
      configs.flatMap((config) => {
        const { succeeded } = Extractor.invoke(config, { compilerState, localBuild: true, messageCallback })
        if (!succeeded) throw new Error(`There is no report of ${config.mainEntryPointFilePath}`)
        return config.reportConfigs.map(
          ({ fileName }) => [`api/${fileName}`, readFileSync(join(folder, fileName), 'utf8')] as const,
        )
      }),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function configOf(name: string, source: string, folder: string): ExtractorConfig {
  return ExtractorConfig.prepare({
    configObject: {
      projectFolder: project,
      mainEntryPointFilePath: join(folder, source.replace(/\.ts$/, '.d.ts')),
      compiler: { overrideTsconfig: { extends: './tsconfig.json', compilerOptions: { skipLibCheck: true } } },
      apiReport: {
        enabled: true,
        reportFileName: `${name === '.' ? 'index' : name.slice(2)}.api.md`,
        reportFolder: folder,
        reportTempFolder: folder,
        // Types that an exported one names without being exported: the schemas of options, for example.
        includeForgottenExports: true,
      },
      newlineKind: 'lf',
      messages: {
        extractorMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(project, 'package.json'),
  })
}

// What is only said is not printed; the compiler's errors are.
function messageCallback(message: ExtractorMessage): void {
  message.handled = message.logLevel !== ExtractorLogLevel.Error
}
