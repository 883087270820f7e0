[assembly: Parallelizable(ParallelScope.Children)]
[assembly: LevelOfParallelism(4)]
[assembly: FixtureLifeCycle(LifeCycle.SingleInstance)]
[assembly: CrawlData.Tests.ReportProgress]
